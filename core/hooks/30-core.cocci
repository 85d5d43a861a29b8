// SPDX-License-Identifier: GPL-2.0-only
// The JIT says where it has put a function; what we keep with a program goes with it.
// Changes: kernel/bpf/core.c 4

@@
@@
 #include <linux/filter.h>
+#include <linux/fastterm.h>

@@
expression aux;
@@
 kfree(aux->poke_tab);
+fastterm_free(aux);
 kfree(aux);

// At the head: the function returns early where there is no line information.
@@
identifier prog, offsets;
typedef u32;
@@
 void bpf_prog_fill_jited_linfo(struct bpf_prog *prog, const u32 *offsets)
 {
 ...
+fastterm_jited(prog, offsets);
 if (!prog->aux->jited_linfo || ...) {
 ...
 }
 ...
 }

@@
identifier fp;
@@
 void bpf_prog_kallsyms_del_all(struct bpf_prog *fp)
 {
+fastterm_hide(fp);
 bpf_prog_kallsyms_del_subprogs(fp);
 ...
 }
