// SPDX-License-Identifier: GPL-2.0-only
// Where a program is refused since it would be entered recursively, it is also refused if it would be entered by a
// program that is being terminated: it would become part of what has to end. Perf events have interrupts off there, where
// nothing is refused.
// Changes: kernel/bpf/trampoline.c 3
// Changes: kernel/trace/bpf_trace.c 4

@@
@@
 #include <linux/filter.h>
+#include <linux/fastterm.h>

@@
identifier inc = {this_cpu_inc_return, __this_cpu_inc_return};
expression active;
@@
 unlikely(
-	inc(active) != 1
+	inc(active) != 1 || fastterm_should_refuse()
 )
