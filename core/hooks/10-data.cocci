// SPDX-License-Identifier: GPL-2.0-only
// What we keep with a program, and with each of its instructions while the verifier works on it.
// And with each of its states, with its log, and with its work on a program. All structures are empty without
// CONFIG_BPF_FASTTERM.
// Changes: include/linux/bpf.h 2
// Changes: include/linux/bpf_verifier.h 5

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

@@
@@
 struct bpf_verifier_state {
 ...
+	struct fastterm_vstate fastterm;
 };

@@
@@
 struct bpf_verifier_log {
 ...
+	struct fastterm_vlog fastterm;
 };

@@
@@
 struct bpf_verifier_env {
 ...
+	struct fastterm_venv fastterm;
 };
