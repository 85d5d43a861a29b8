// SPDX-License-Identifier: GPL-2.0-only
// Make the stub images of a program when it is loaded: after the JIT, and before anything can be attached to it. Print
// counters and bounds in its fdinfo. A program with stub images keeps its symbols as long as it may run, which may be
// long after it was detached: a kick has to find the program by an address.
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
+err = fastterm_loaded(prog) ?: err;
+if (err < 0)
+	goto free_used_maps;

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
