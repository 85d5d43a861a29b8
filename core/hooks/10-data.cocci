// SPDX-License-Identifier: GPL-2.0-only
// Add the data of fastterm, while the verifier works on a program, to each of its instructions, to each state of the
// verifier, to its environment and to its log. All these structures are empty without CONFIG_BPF_FASTTERM.
// Changes: include/linux/bpf.h 1
// Changes: include/linux/bpf_verifier.h 5

@@
@@
 #include <linux/percpu-refcount.h>
+#include <linux/fastterm_types.h>

@@
@@
 #include <linux/tnum.h>
+#include <linux/fastterm_types.h>

@@
@@
 struct bpf_insn_aux_data {
 ...
 bool prune_point;
+struct fastterm_decision fastterm;
 ...
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
