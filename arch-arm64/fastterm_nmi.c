// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: pseudo-NMIs of arm64.
 *
 * A source of NMIs that come by themselves: a kernel that was booted at EL1 uses the virtual
 * timer of each CPU, and nobody the physical one. Its interrupt can be a pseudo-NMI.
 */
#include <linux/fastterm_arch.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/math64.h>
#include <linux/of.h>
#include <linux/of_irq.h>
#include <linux/percpu.h>
#include <linux/preempt.h>

#include <asm/arch_gicv3.h>
#include <asm/arch_timer.h>
#include <asm/cpufeature.h>
#include <asm/irq_regs.h>
#include <asm/virt.h>

#include <clocksource/arm_arch_timer.h>

static DEFINE_PER_CPU(int, unused);
static int irq __ro_after_init;
/* The timer's ticks in a nanosecond, times 2^32. */
static u64 ticks __ro_after_init;

static irqreturn_t handle(int nr, void *dev)
{
	/* The interrupt is there as long as the timer is on and has expired. */
	fastterm_arch_nmi_arm(0, false);
	fastterm_nmi(get_irq_regs(), true);
	return IRQ_HANDLED;
}

enum fastterm_nmi_kind __init fastterm_arch_nmi_init(const char **name)
{
	struct device_node *node;

	if (is_hyp_mode_available())
		return FASTTERM_NMI_NONE;
	node = of_find_compatible_node(NULL, NULL, "arm,armv8-timer");
	irq = node ? of_irq_get(node, ARCH_TIMER_PHYS_NONSECURE_PPI) : 0;
	of_node_put(node);
	if (irq <= 0 || request_percpu_nmi(irq, handle, "bpf_fastterm", &unused))
		return FASTTERM_NMI_NONE;
	ticks = div_u64((u64)arch_timer_get_cntfrq() << 32, NSEC_PER_SEC);
	*name = "spare timer";
	return FASTTERM_NMI_CPU;
}

int fastterm_arch_nmi_up(void)
{
	int err;

	preempt_disable();
	err = prepare_percpu_nmi(irq);
	if (!err)
		enable_percpu_nmi(irq, IRQ_TYPE_NONE);
	preempt_enable();
	return err;
}

void fastterm_arch_nmi_down(void)
{
	preempt_disable();
	write_sysreg(0, cntp_ctl_el0);
	isb();
	disable_percpu_nmi(irq);
	teardown_percpu_nmi(irq);
	preempt_enable();
}

notrace void fastterm_arch_nmi_arm(u64 ns, bool soon)
{
	if (ns) {
		write_sysreg((ns * ticks) >> 32, cntp_tval_el0);
		write_sysreg(ARCH_TIMER_CTRL_ENABLE, cntp_ctl_el0);
	} else {
		write_sysreg(0, cntp_ctl_el0);
	}
	isb();
}

#ifdef CONFIG_ARM64_PSEUDO_NMI
/* A debug exception masks all interrupts in DAIF. Mask the ordinary ones by their priority. */
unsigned long notrace fastterm_arch_let_nmis_in(void)
{
	unsigned long before;

	if (!system_uses_irq_prio_masking() || in_nmi() || !(read_sysreg(daif) & PSR_I_BIT))
		return 0;
	before = read_sysreg_s(SYS_ICC_PMR_EL1);
	write_sysreg_s(GIC_PRIO_IRQOFF, SYS_ICC_PMR_EL1);
	asm volatile("msr daifclr, #3" : : : "memory");
	return before;
}

void notrace fastterm_arch_keep_nmis_out(unsigned long before)
{
	if (!before)
		return;
	asm volatile("msr daifset, #3" : : : "memory");
	write_sysreg_s(before, SYS_ICC_PMR_EL1);
}
#endif
