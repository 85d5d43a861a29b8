// SPDX-License-Identifier: GPL-2.0-only
// A kick uses the IPI for backtraces, since no IPI is free: it is an NMI where the machine has NMIs.
// Changes: arch/arm64/kernel/smp.c 3

@@
@@
 #include <linux/cpu.h>
+#include <linux/fastterm_arch.h>

@ kick @
@@
 static void arm64_backtrace_ipi(...) { ... }
+
+#ifdef CONFIG_BPF_FASTTERM_BACKEND
+int fastterm_arch_kick(int cpu, bool insist)
+{
+	if (cpu_online(cpu))
+		__ipi_send_single(ipi_desc[IPI_CPU_BACKTRACE], cpu);
+	return 0;
+}
+#endif

@@
@@
 nmi_cpu_backtrace(get_irq_regs());
+if (IS_ENABLED(CONFIG_BPF_FASTTERM_BACKEND))
+	fastterm_kicked(get_irq_regs());
