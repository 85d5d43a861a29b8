// SPDX-License-Identifier: GPL-2.0-only
// The tick looks which programs run, and kicks those that are being terminated. Where the tick is stopped, and no other
// CPU is awake that could look, an interrupt arms a timer of ours, which never outlasts it: an idle CPU sleeps on.
// Changes: include/linux/cpuidle.h 3
// Changes: kernel/time/tick-common.c 2
// Changes: kernel/time/tick-sched.c 7

@@
@@
 #include <linux/err.h>
+#include <linux/fastterm.h>

@@
@@
 profile_tick(CPU_PROFILING);
+fastterm_tick();

@@
@@
 tick_nohz_start_idle(...)
 {
 ...
 sched_clock_idle_sleep_event();
+fastterm_idle_begins();
 }

@@
symbol now;
@@
 tick_nohz_irq_enter(...)
 {
 ...
 if (tick_sched_flag_test(...))
-	tick_nohz_update_jiffies(now);
+{
+	tick_nohz_update_jiffies(now);
+	fastterm_idle_interrupted(READ_ONCE(tick_do_timer_cpu));
+}
 }

@@
@@
 tick_nohz_stop_tick(...)
 {
 <...
 WRITE_ONCE(tick_do_timer_cpu, TICK_DO_TIMER_NONE);
+fastterm_last_awake();
 ...>
 }

@@
@@
 tick_nohz_idle_exit(...)
 {
 ...
-local_irq_enable();
+fastterm_idle_ends(READ_ONCE(tick_do_timer_cpu) == TICK_DO_TIMER_NONE);
+local_irq_enable();
 }

@@
@@
 #include <linux/list.h>
+#include <linux/fastterm.h>

@@
@@
 ct_cpuidle_enter(...)
 {
 ...
 lockdep_hardirqs_on_prepare();
+fastterm_sleeps();
 ...
 }

@@
@@
 ct_cpuidle_exit(...)
 {
 ...
 instrumentation_begin();
+fastterm_wakes();
 ...
 }
