// SPDX-License-Identifier: GPL-2.0-only
// Record where the JIT has put the instructions of a function, and free the data of fastterm together with the program.
// Changes: kernel/bpf/core.c 5

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

@@
symbol aux;
@@
+fastterm_dies(aux);
 bpf_free_used_maps(aux);

// At the head, since the function returns early if there is no line information.
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
