// SPDX-License-Identifier: GPL-2.0-only
// A kick uses the IPI for backtraces, which is an ordinary interrupt, like all IPIs on this architecture.
// Changes: arch/riscv/kernel/smp.c 3

@@
@@
 #include <linux/cpu.h>
+#include <linux/fastterm_arch.h>

@@
@@
 nmi_cpu_backtrace(get_irq_regs());
+if (IS_ENABLED(CONFIG_BPF_FASTTERM_BACKEND))
+	fastterm_kicked(get_irq_regs());

@@
@@
 static void riscv_backtrace_ipi(...) { ... }
+
+#ifdef CONFIG_BPF_FASTTERM_BACKEND
+int fastterm_arch_kick(int cpu, bool insist)
+{
+	if (cpu_online(cpu))
+		send_ipi_single(cpu, IPI_CPU_BACKTRACE);
+	return 0;
+}
+#endif
