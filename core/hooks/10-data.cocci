// SPDX-License-Identifier: GPL-2.0-only
// What we keep with a program, and with each of its instructions while the verifier works on it.
// Both structures are empty without CONFIG_BPF_FASTTERM.
// Changes: include/linux/bpf.h 2
// Changes: include/linux/bpf_verifier.h 2

@@
@@
 #include <linux/percpu-refcount.h>
+#include <linux/fastterm_types.h>

@@
@@
 struct bpf_prog_aux {
 ...
+	struct fastterm_aux fastterm;
 };

@@
@@
 #include <linux/tnum.h>
+#include <linux/fastterm_types.h>

@@
@@
 struct bpf_insn_aux_data {
 ...
+	struct fastterm_decision fastterm;
 };
