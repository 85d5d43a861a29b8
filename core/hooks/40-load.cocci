// SPDX-License-Identifier: GPL-2.0-only
// Stub images are made when a program is loaded: after the JIT, before anybody can attach to it. Its fdinfo tells of it.
// Where it has them it can be found by an address as long as it may run: it may run for long after it was detached.
// Changes: kernel/bpf/syscall.c 6

@@
@@
 #include <linux/filter.h>
+#include <linux/fastterm.h>

@@
identifier prog;
symbol err, free_used_maps;
@@
 prog = bpf_prog_select_runtime(prog, &err);
 if (err < 0)
 	goto free_used_maps;
+fastterm_loaded(prog);

@@
identifier prog;
@@
 bpf_prog_kallsyms_add(prog);
+fastterm_publish(prog);
 perf_event_bpf_event(prog, ...);

@@
identifier m, prog;
@@
 bpf_prog_show_fdinfo(struct seq_file *m, ...)
 {
 ...
 const struct bpf_prog *prog = ...;
 ...
 seq_printf(...);
+fastterm_show_fdinfo(m, prog);
 }

@@
identifier prog, deferred;
@@
 __bpf_prog_put_noref(struct bpf_prog *prog, bool deferred)
 {
-bpf_prog_kallsyms_del_all(prog);
+if (!fastterm_last_put(prog, deferred))
+	bpf_prog_kallsyms_del_all(prog);
 ...
 }

@@
identifier rcu, aux;
@@
 __bpf_prog_put_rcu(struct rcu_head *rcu)
 {
 struct bpf_prog_aux *aux = container_of(...);
+
+if (fastterm_ended(aux, __bpf_prog_put_rcu))
+	return;
 ...
 }
