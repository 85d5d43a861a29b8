// SPDX-License-Identifier: GPL-2.0-only
// Where the kernel refuses to enter a program recursively, refuse it also if it would become part of an activation that
// is being terminated. Programs of perf events are an exception: they are entered for each event.
// Changes: kernel/bpf/trampoline.c 3
// Changes: kernel/trace/bpf_trace.c 5

@@
@@
 #include <linux/filter.h>
+#include <linux/fastterm.h>

@@
identifier inc = {this_cpu_inc_return, __this_cpu_inc_return};
expression prog;
@@
 unlikely(
-	inc(*(prog->active)) != 1
+	inc(*(prog->active)) != 1 || fastterm_should_refuse(prog)
 )

// These run the programs of an array.
@@
identifier inc = {this_cpu_inc_return, __this_cpu_inc_return};
symbol bpf_prog_active;
@@
 unlikely(
-	inc(bpf_prog_active) != 1
+	inc(bpf_prog_active) != 1 || fastterm_should_refuse(NULL)
 )

// A probe may be an exception that masks NMIs, and nothing else would end its programs.
@@
expression ret, array, ctx;
@@
 trace_call_bpf(...)
 {
 ...
-ret = bpf_prog_run_array(array, ctx, bpf_prog_run);
+ret = fastterm_run_array(array, ctx, bpf_prog_run);
 ...
 }
