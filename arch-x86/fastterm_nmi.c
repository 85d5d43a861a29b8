// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: NMIs of x86_64.
 *
 * An NMI does not say why it has come. It may be a kick; or that of a timer, which comes by
 * itself: a machine, often a virtual one, may have no counter of cycles that could interrupt. A
 * timer of the HPET writes a message when it expires. A message to all processors, with the
 * delivery mode of NMIs, interrupts all of them.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/fastterm_arch.h>
#include <linux/io.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/timekeeping.h>

#include <asm/apic.h>
#include <asm/hpet.h>
#include <asm/nmi.h>
#include <asm/tsc.h>

#include "fastterm_nmi.h"

/* When a kick by an NMI was sent that has not arrived yet, in ns; 0 if there is none. */
static DEFINE_PER_CPU(u64, nmi_sent);

/*
 * An NMI that comes for another reason may be taken for a kick that has been sent and has not
 * arrived yet. When that kick arrives, nothing explains it any more. So after a kick or the
 * timer's NMI, one more NMI that nothing explains is claimed if it comes before this time, in ns
 * of the monotonic clock.
 */
static DEFINE_PER_CPU(u64, one_more_until);
#define ONE_MORE_NS	(100 * NSEC_PER_MSEC)

/* An NMI that has not arrived after so many ns is lost. */
#define LOST_NS		(100 * NSEC_PER_MSEC)

u64 fastterm_arch_cycles_hz(void)
{
	return tsc_khz * 1000ull;
}

/**
 * fastterm_send_nmi() - kick a CPU by an NMI
 * @cpu: the CPU
 *
 * One is sent only after the last was handled, or is lost: the kernel reports NMIs that no
 * handler claims.
 *
 * Context: any, with interrupts off.
 */
void fastterm_send_nmi(int cpu)
{
	u64 now = ktime_get_mono_fast_ns(), sent = READ_ONCE(per_cpu(nmi_sent, cpu));

	if ((!sent || now - sent > LOST_NS) &&
	    try_cmpxchg(per_cpu_ptr(&nmi_sent, cpu), &sent, now))
		__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
}

#ifdef CONFIG_HPET_TIMER
/* The timer: those before it are used if the HPET replaces older timers. */
#define TIMER		2

/* Any processor, by its physical number; and an NMI, whose vector is ignored. */
#define MESSAGE_ADDRESS	0xfeeff000
#define MESSAGE_DATA	0x400

/* The clocks that the timer and the deadline go by may differ by so many ns. */
#define SLACK_NS	NSEC_PER_MSEC

/* The shortest time that the timer is set to, in ns. */
#define SHORTEST_NS	(100ull * NSEC_PER_USEC)

static void __iomem *hpet __ro_after_init;
static u32 config __ro_after_init;
/* The length of a tick, in femtoseconds. */
static u32 tick_fs __ro_after_init;

/* When the timer expires, in ns of the monotonic clock; 0 if it is stopped. */
static u64 deadline;
/* Some CPU wants to be interrupted then, and not only if nothing comes before. */
static bool wanted;
/* How often the timer has been set, and the last of those that is known to have expired. */
static atomic_t generation;
static int expired;
/* The last that has interrupted this CPU. */
static DEFINE_PER_CPU(int, seen);

/* If the timer has expired, the NMIs of all CPUs are explained by that. */
static __always_inline void note_expiry(void)
{
	const int last = atomic_read(&generation);
	u64 at;

	/* Pairs with the write of deadline: one that has passed is of this generation or older. */
	smp_rmb();
	at = READ_ONCE(deadline);
	if (at && ktime_get_mono_fast_ns() + SLACK_NS >= at && last - READ_ONCE(expired) > 0)
		WRITE_ONCE(expired, last);
}

/* Has the timer expired, and has this CPU not been interrupted for this reason yet? */
static bool is_timer(void)
{
	if (!hpet)
		return false;
	note_expiry();
	/* Another CPU may have been interrupted before, and have set the timer again. */
	if (READ_ONCE(expired) - this_cpu_read(seen) <= 0)
		return false;
	this_cpu_write(seen, READ_ONCE(expired));
	return true;
}

enum fastterm_nmi_kind __init fastterm_arch_nmi_init(const char **name)
{
	void __iomem *regs;
	u32 cfg;

	if (!hpet_address)
		return FASTTERM_NMI_NONE;
	regs = ioremap(hpet_address, HPET_MMAP_SIZE);
	if (!regs)
		return FASTTERM_NMI_NONE;
	cfg = readl(regs + HPET_Tn_CFG(TIMER));
	tick_fs = readl(regs + HPET_PERIOD);
	/* It must exist, be able to write messages, and be unused; and the HPET must be running. */
	if (((readl(regs + HPET_ID) & HPET_ID_NUMBER) >> HPET_ID_NUMBER_SHIFT) < TIMER ||
	    !(cfg & HPET_TN_FSB_CAP) || (cfg & (HPET_TN_ENABLE | HPET_TN_FSB)) || !tick_fs ||
	    !(readl(regs + HPET_CFG) & HPET_CFG_ENABLE)) {
		iounmap(regs);
		return FASTTERM_NMI_NONE;
	}
	config = HPET_TN_FSB | HPET_TN_32BIT;
	hpet = regs;
	*name = "HPET";
	return FASTTERM_NMI_ALL;
}

/* Also after the machine was suspended. */
int fastterm_arch_nmi_up(void)
{
	writel(config, hpet + HPET_Tn_CFG(TIMER));
	writel(MESSAGE_DATA, hpet + HPET_Tn_ROUTE(TIMER));
	writel(MESSAGE_ADDRESS, hpet + HPET_Tn_ROUTE(TIMER) + 4);
	return 0;
}

notrace void fastterm_arch_nmi_arm(u64 ns, bool soon)
{
	const u64 now = ktime_get_mono_fast_ns(), at = READ_ONCE(deadline);
	u32 delta, at_tick;

	/* Once it is taken to have expired, nobody acts on its NMI. */
	if (ns && wanted && at > now && READ_ONCE(expired) != atomic_read(&generation) &&
	    (!soon || now + ns >= at))
		return;
	/* It may expire at this very moment: NMIs that are on their way are of this generation. */
	writel(config, hpet + HPET_Tn_CFG(TIMER));
	note_expiry();
	WRITE_ONCE(deadline, 0);
	wanted = soon;
	if (!ns)
		return;
	/* Pairs with note_expiry(): this is ordered between the two writes. */
	atomic_inc_return(&generation);
	WRITE_ONCE(deadline, ktime_get_mono_fast_ns() + ns);
	/* What is set when its time is already over only comes when the counter has wrapped. */
	for (delta = mul_u64_u32_div(max(ns, SHORTEST_NS), 1000000, tick_fs); delta; delta *= 2) {
		at_tick = readl(hpet + HPET_COUNTER) + delta;
		writel(at_tick, hpet + HPET_Tn_CMP(TIMER));
		writel(config | HPET_TN_ENABLE, hpet + HPET_Tn_CFG(TIMER));
		if ((s32)(at_tick - readl(hpet + HPET_COUNTER)) > 0)
			break;
	}
}
#else
static bool is_timer(void)
{
	return false;
}
#endif

/**
 * fastterm_handle_nmi() - handle an NMI, which may be ours
 * @cmd: not used
 * @regs: the interrupted registers
 *
 * If interrupts are on, the IPI handles the kick: its registers are those that it returns to.
 * Whatever other NMI comes is used as well.
 *
 * Context: NMI.
 * Return: NMI_HANDLED or NMI_DONE.
 */
notrace int fastterm_handle_nmi(unsigned int cmd, struct pt_regs *regs)
{
	const bool timer = is_timer(), kick = this_cpu_xchg(nmi_sent, 0);
	const u64 now = ktime_get_mono_fast_ns();

	if (kick && !(regs->flags & X86_EFLAGS_IF))
		fastterm_kicked(regs);
	if (!kick || timer)
		fastterm_nmi(regs, timer);
	if (!kick && !timer)
		return NMI_DONE;
	this_cpu_write(one_more_until, now + ONE_MORE_NS);
	return NMI_HANDLED;
}

/**
 * fastterm_claim_nmi() - claim an NMI that nothing else explains, if it may be ours
 * @cmd: not used
 * @regs: not used
 *
 * Context: NMI, when neither another handler nor the platform has a reason for it.
 * Return: NMI_HANDLED or NMI_DONE.
 */
notrace int fastterm_claim_nmi(unsigned int cmd, struct pt_regs *regs)
{
	if (ktime_get_mono_fast_ns() >= this_cpu_read(one_more_until))
		return NMI_DONE;
	this_cpu_write(one_more_until, 0);
	return NMI_HANDLED;
}
