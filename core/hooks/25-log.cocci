// SPDX-License-Identifier: GPL-2.0-only
// Keep the messages of the verifier about a stub image out of the log of the program's user.
// Changes: kernel/bpf/log.c 2

@@
@@
 #include <linux/bpf_verifier.h>
+#include <linux/fastterm.h>

@@
symbol log;
@@
 bpf_verifier_vlog(...)
 {
 ...
 n = vscnprintf(log->kbuf, ...);
+if (fastterm_log(log))
+	return;
 ...
 }
