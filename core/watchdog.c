// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog terminates programs that run for longer than their budget.
 *
 * Each CPU samples itself, since all CPUs may be stuck at once: with its tick, and if a program
 * was running, more often with a timer. A sample tags the activations that it finds. If a tag is
 * still there at the next sample, the same activation has been running since; otherwise the
 * time is not counted. Only samples that find the activation count: while it is preempted
 * or asleep it does not run.
 *
 * A CPU that is idle has no tick, nor has one that is isolated and runs only one task. It is
 * left alone while it sleeps, or is in user mode. But an interrupt may run a program there. So
 * each CPU that samples itself also looks after those that follow it, up to the next one that
 * samples itself. If one of those executes kernel code, and has done nothing else since the
 * last time, the CPU is interrupted to be sampled. If it has interrupts off, that takes an NMI.
 * If no NMI reaches the CPU either, and if a program is the reason, that program can end only
 * where a kernel function calls its callback in a loop.
 *
 * If no CPU takes interrupts, an NMI that comes by itself takes a sample: see nmi.c. Without such
 * NMIs, a CPU that runs a program with interrupts off depends on others: one that has looked after
 * it goes on doing so, with its timer, also while it is idle.
 *
 * If no CPU has a tick, an interrupt in an idle CPU arms the timer, which is disarmed when the
 * CPU goes on sleeping.
 */
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/fastterm.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>
#include <linux/smp.h>
#include <linux/sysctl.h>
#include <linux/tick.h>
#include <linux/timekeeping.h>

#include <asm/irq_regs.h>

#include "activation.h"
#include "blame.h"
#include "compat.h"
#include "nmi.h"
#include "stuck.h"
#include "trigger.h"
#include "watchdog.h"

unsigned int fastterm_budget_ms __read_mostly = 100;
unsigned int fastterm_sleepable_budget_ms __read_mostly = 1000;
unsigned int fastterm_period_ms __read_mostly = 10;

/**
 * struct watch - the watchdog on a CPU
 * @timer: samples the CPU, if the tick does not do so soon enough
 * @last: when the CPU was sampled last, in ns of the monotonic clock
 * @residency: fastterm_is_awake() of the CPU, when another CPU looked last
 * @since: when another CPU has first seen this residency
 * @asked: when another CPU has kicked this one for the first time since @asked_since
 * @asked_since: the value of @last at that time
 * @named: the value of @last when the CPU was reported as one that takes no interrupts
 * @helps: when it looked last, there were CPUs that depend on others
 * @soon: arms @timer after an NMI
 */
struct watch {
	struct hrtimer timer;
	u64 last;
	u32 residency;
	u64 since;
	u64 asked;
	u64 asked_since;
	u64 named;
	bool helps;
	struct irq_work soon;
};

static DEFINE_PER_CPU(struct watch, watches);

/* The timer has been armed, and would wake the CPU. */
DEFINE_PER_CPU(bool, fastterm_armed);

/*
 * The CPUs that no NMI samples by itself, and that either were running a program with interrupts
 * off when they were sampled last, or have been kicked and do not answer.
 */
static struct cpumask dependents;

static __always_inline bool is_on(void)
{
	return READ_ONCE(fastterm_budget_ms) || READ_ONCE(fastterm_sleepable_budget_ms);
}

static __always_inline u64 period(void)
{
	return READ_ONCE(fastterm_period_ms) * (u64)NSEC_PER_MSEC;
}

/* A CPU that has a tick and takes interrupts is sampled at least as often, in ns. */
static __always_inline u64 longest_gap(void)
{
	return period() + period() / 2 + TICK_NSEC;
}

static __always_inline bool samples_itself(int cpu, u64 now)
{
	return !cpumask_test_cpu(cpu, &dependents) &&
	       (s64)(now - READ_ONCE(per_cpu(watches.last, cpu))) < (s64)longest_gap();
}

/*
 * Have an NMI take a sample: in @next ns; or, if @next is 0, after longest_gap(), unless another
 * interrupt takes one before.
 */
static __always_inline void set_nmi(u64 next)
{
	fastterm_nmi_arm(next ?: longest_gap(), next);
}

/* A CPU that has not been sampled for so many ns is hardly a virtual one that waits its turn. */
#define SILENT_NS	(100 * (s64)NSEC_PER_MSEC)

/* The shortest time between two samples, in ns. */
#define SHORTEST_NS	(20 * (u64)NSEC_PER_USEC)

static void set_dependent(int cpu, bool depends)
{
	if (cpumask_test_cpu(cpu, &dependents) == depends)
		return;
	if (depends)
		cpumask_set_cpu(cpu, &dependents);
	else
		cpumask_clear_cpu(cpu, &dependents);
}

static void helps(struct pt_regs *regs);

/*
 * The CPU that has kicked this one may be about to sleep: have another one look as well. One that
 * sleeps takes interrupts.
 */
static void find_helper(int cpu)
{
	int other, helper = -1;
	u32 residency;

	for_each_cpu_wrap(other, cpu_online_mask, cpu + 1) {
		if (other == cpu || !housekeeping_cpu(other, HK_TYPE_TIMER))
			continue;
		helper = other;
		if (!fastterm_is_awake(other, &residency))
			break;
	}
	if (helper >= 0)
		fastterm_sample(helper, helps, false);
}

/* Returns the time to the next sample, in ns; 0 if the tick is soon enough. */
static u64 sample(struct watch *w, struct pt_regs *regs)
{
	u64 now = ktime_get_mono_fast_ns(), ran = now - w->last, share, next;
	/* A CPU that has slept meanwhile has been awake for a tick at most. */
	const bool slept = fastterm_irqs_were_on(regs) && ran > longest_gap();
	const int cpu = smp_processor_id();
	bool depends;

	/*
	 * After a longer gap between samples, the program may have been preempted
	 * meanwhile. With interrupts off it has been running all the time, or the CPU would
	 * have been sampled; unless the machine itself was stopped, as a virtual one may be.
	 */
	ran = min(ran, (fastterm_irqs_were_on(regs) ? 2 : 4) * period());
	share = slept ? TICK_NSEC : ran;
	WRITE_ONCE(w->last, now);
	next = user_mode(regs) ? 0 : fastterm_count(regs, ran, share);
	if (next)
		next = clamp(next, SHORTEST_NS, period());
	depends = next && !fastterm_irqs_were_on(regs) && !fastterm_nmi_comes(cpu);
	set_dependent(cpu, depends);
	if (depends)
		find_helper(cpu);
	/* The next sample, in whatever interrupt, puts the NMI off. */
	set_nmi(in_nmi() ? next : 0);
	return next;
}

static void arm(struct watch *w, u64 ns)
{
	__this_cpu_write(fastterm_armed, true);
	hrtimer_start(&w->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

static void sampled(struct pt_regs *regs);

/*
 * An interrupt of an idle CPU may be about to run a program, and no tick comes there: even if
 * no program was found, the timer takes the next sample in a period. When the CPU goes on sleeping,
 * the timer is disarmed.
 */
static u64 or_in_a_period(u64 next)
{
	return !next && is_idle_task(current) && tick_nohz_tick_stopped() ? period() : next;
}

/*
 * Check whether a CPU has to be sampled. Returns false if it samples itself, and looks after
 * those that follow.
 */
static bool look_after(int cpu, u64 now)
{
	struct watch *w = per_cpu_ptr(&watches, cpu);
	u64 last = READ_ONCE(w->last), since;
	u32 residency;

	if (samples_itself(cpu, now))
		return false;
	if (!fastterm_is_awake(cpu, &residency)) {
		set_dependent(cpu, false);
		return true;
	}
	since = READ_ONCE(w->since);
	if (residency != READ_ONCE(w->residency)) {
		WRITE_ONCE(w->since, now);
		WRITE_ONCE(w->residency, residency);
		/* It has slept, or taken an interrupt, since it was kicked. */
		WRITE_ONCE(w->asked_since, 0);
		return true;
	}
	if ((s64)(now - since) < (s64)period() || (s64)(now - last) < (s64)period())
		return true;
	if (READ_ONCE(w->asked_since) != last) {
		WRITE_ONCE(w->asked, now);
		WRITE_ONCE(w->asked_since, last);
	} else if (!fastterm_nmi_comes(cpu) && (s64)(now - READ_ONCE(w->asked)) > SILENT_NS) {
		set_dependent(cpu, true);
	}
	if (READ_ONCE(fastterm_budget_ms) && (s64)(now - READ_ONCE(w->asked)) >
	    (s64)(READ_ONCE(fastterm_budget_ms) * (u64)NSEC_PER_MSEC + period())) {
		fastterm_cut_loops(cpu, true);
		/*
		 * Either this sees that the CPU has just been sampled, or that CPU undoes
		 * fastterm_cut_loops().
		 */
		smp_mb();
		if (READ_ONCE(w->last) != last)
			fastterm_cut_loops(cpu, false);
		else if (xchg(&w->named, last) != last)
			fastterm_report_unreachable(cpu, now - READ_ONCE(w->asked));
	}
	fastterm_sample(cpu, sampled, true);
	return true;
}

/* Whether this CPU goes on looking after others when it is idle. */
static void go_on_helping(bool helps)
{
	WRITE_ONCE(*this_cpu_ptr(&watches.helps), helps);
	if (!helps)
		return;
	/* Have fastterm_disarm() called. An NMI does not lead there. */
	__this_cpu_write(fastterm_armed, true);
	if (in_nmi())
		irq_work_queue(this_cpu_ptr(&watches.soon));
}

static void look_after_others(void)
{
	const int cpu = smp_processor_id();
	const u64 now = ktime_get_mono_fast_ns();
	int other;

	for_each_cpu_wrap(other, cpu_online_mask, cpu + 1)
		if (other == cpu || !look_after(other, now))
			break;
	go_on_helping(cpumask_intersects(&dependents, cpu_online_mask));
}

static void sample_and_look(struct watch *w, struct pt_regs *regs)
{
	u64 next = or_in_a_period(sample(w, regs));

	/* An interrupt or an NMI does reach this CPU. Pairs with smp_mb() in look_after(). */
	smp_mb();
	fastterm_irqs_reach_again();
	if (next && !in_nmi())
		arm(w, next);
	look_after_others();
}

/*
 * Another CPU has requested this sample by a kick. This CPU has, or had, interrupts off, or it
 * has no tick; so it has not looked after others either.
 */
static void sampled(struct pt_regs *regs)
{
	struct watch *w = this_cpu_ptr(&watches);

	if (is_on() && ktime_get_mono_fast_ns() - w->last > period())
		sample_and_look(w, regs);
}

/**
 * fastterm_watchdog_looks() - sample this CPU in an NMI, if that has not been done for too long
 * @regs: the interrupted registers
 * @timer: the NMI is the one that set_nmi() arms
 *
 * Context: an interrupt of ours, which is an NMI; in the one that interrupted @regs.
 */
void fastterm_watchdog_looks(struct pt_regs *regs, bool timer)
{
	if (!timer)
		sampled(regs);
	else if (is_on() && !fastterm_nmi_woke())
		sample_and_look(this_cpu_ptr(&watches), regs);
}

/**
 * fastterm_nmi_wakes() - arm the NMI again, since this CPU is awake
 * @alone: no CPU has a tick
 *
 * Context: that of fastterm_wakes(). Not traced.
 */
notrace void fastterm_nmi_wakes(bool alone)
{
	if (is_on() && (alone || fastterm_nmi_is_own()))
		set_nmi(0);
}
EXPORT_SYMBOL_GPL(fastterm_nmi_wakes);

/**
 * fastterm_watchdog_ticked() - sample this CPU in a tick, if it is time to
 * @regs: the interrupted registers
 *
 * Context: an interrupt of ours, which is a hardirq; in the one that interrupted @regs.
 */
void fastterm_watchdog_ticked(struct pt_regs *regs)
{
	struct watch *w = this_cpu_ptr(&watches);

	fastterm_irqs_reach_again();
	/* With the next tick, the period would be over. */
	if (is_on() && ktime_get_mono_fast_ns() - w->last + TICK_NSEC > period())
		sample_and_look(w, regs);
}

static enum hrtimer_restart handle_timer(struct watch *w)
{
	struct pt_regs *regs = get_irq_regs();
	u64 next = 0;

	if (regs && is_on())
		next = or_in_a_period(sample(w, regs));
	/* Pairs with smp_mb() in look_after(). */
	smp_mb();
	fastterm_irqs_reach_again();
	if (is_on())
		look_after_others();
	if (!next)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(&w->timer, ns_to_ktime(next));
	return HRTIMER_RESTART;
}

static notrace enum hrtimer_restart sample_by_timer(struct hrtimer *timer)
{
	struct watch *w = container_of(timer, struct watch, timer);
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	enum hrtimer_restart again;

	/* A timer that is armed while its CPU goes offline may run on another CPU. */
	if (w != this_cpu_ptr(&watches))
		return HRTIMER_NORESTART;
	fastterm_interrupt_begins(c);
	again = handle_timer(w);
	fastterm_interrupt_ends(c);
	return again;
}

NOKPROBE_SYMBOL(sample_by_timer);

/* Has a CPU been awake all the time since an interrupt has seen it, and has not been sampled? */
static __always_inline bool is_silent(int cpu)
{
	struct watch *w = per_cpu_ptr(&watches, cpu);
	const u64 now = ktime_get_mono_fast_ns();
	u32 residency;

	if (!fastterm_is_awake(cpu, &residency))
		return false;
	if (residency != READ_ONCE(w->residency)) {
		WRITE_ONCE(w->since, now);
		WRITE_ONCE(w->residency, residency);
		return false;
	}
	return (s64)(now - READ_ONCE(w->since)) > SILENT_NS &&
	       (s64)(now - READ_ONCE(w->last)) > SILENT_NS;
}

/**
 * fastterm_arm() - have the timer look which program an interrupt runs
 * @timekeeper: the CPU that keeps the time, and looks; negative if there is none
 *
 * The timekeeper may have interrupts off itself.
 *
 * Context: hardirq, with interrupts off; from fastterm_idle_interrupted(). Neither traced nor
 * probed, and neither is what it calls entered by programs.
 */
notrace void fastterm_arm(int timekeeper)
{
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	struct watch *w = this_cpu_ptr(&watches);

	if (!is_on() || (timekeeper >= 0 && samples_itself(timekeeper, ktime_get_mono_fast_ns())) ||
	    !fastterm_interrupt_begins(c))
		return;
	/* It may be this timer that has interrupted: do not put it off. */
	if (!hrtimer_is_queued(&w->timer))
		arm(w, period());
	set_nmi(0);
	if (timekeeper >= 0 && !fastterm_nmi_comes(timekeeper) && is_silent(timekeeper)) {
		set_dependent(timekeeper, true);
		go_on_helping(true);
	}
	fastterm_not_busy(c);
}

NOKPROBE_SYMBOL(fastterm_arm);

/* At the end of this interrupt, fastterm_disarm() is called if the CPU is idle. */
static notrace void help_after_nmi(struct irq_work *unused)
{
}

NOKPROBE_SYMBOL(help_after_nmi);

/**
 * fastterm_disarm() - undo fastterm_arm() before this CPU sleeps
 *
 * If other CPUs depend on it, the timer is armed instead.
 *
 * Context: that of fastterm_idle_begins(). Neither traced nor probed, as fastterm_arm().
 */
notrace void fastterm_disarm(void)
{
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	struct watch *w = this_cpu_ptr(&watches);
	bool helps;

	/* In this order: an NMI may come in between, and say that this CPU is to help. */
	__this_cpu_write(fastterm_armed, false);
	barrier();
	helps = READ_ONCE(w->helps) && is_on() && cpu_online(smp_processor_id());
	if (helps)
		__this_cpu_write(fastterm_armed, true);
	/* Often the timer has expired, and has not been started again. */
	if (hrtimer_is_queued(&w->timer) == helps || !fastterm_interrupt_begins(c))
		return;
	if (helps)
		arm(w, period());
	else
		hrtimer_try_to_cancel(&w->timer);
	fastterm_not_busy(c);
}

NOKPROBE_SYMBOL(fastterm_disarm);

/* The CPU that has looked after this one goes to sleep. */
static void begins_to_look(struct pt_regs *regs)
{
	if (is_on())
		sample_and_look(this_cpu_ptr(&watches), regs);
}

/*
 * A CPU depends on others. If this one is busy, no sample is taken: a sample in a softirq, which
 * may have interrupted a program, would lose the time since the last one.
 */
static void helps(struct pt_regs *regs)
{
	if (is_idle_task(current))
		begins_to_look(regs);
	else if (is_on())
		look_after_others();
}

/*
 * This CPU has just been sampled, but it may have interrupts off by now. If it is in an interrupt,
 * this is as if no sample had been taken: a program that has been interrupted goes on.
 */
static void looks_if_masked(struct pt_regs *regs)
{
	struct watch *w = this_cpu_ptr(&watches);
	const u64 last = w->last;

	if (!is_on() || fastterm_irqs_were_on(regs))
		return;
	sample_and_look(w, regs);
	if (!cpumask_test_cpu(smp_processor_id(), &dependents))
		WRITE_ONCE(w->last, last);
}

/**
 * fastterm_wake_watch() - have CPUs sample themselves that may have relied on this one
 *
 * Context: that of fastterm_last_awake().
 */
void fastterm_wake_watch(void)
{
	const u64 now = ktime_get_mono_fast_ns();
	bool alone = true;
	u32 residency;
	int cpu;

	if (!is_on())
		return;
	/*
	 * Either this sees that a CPU has been interrupted, or that CPU sees that no CPU has a
	 * tick: its context tracking uses atomic operations that are full barriers.
	 */
	smp_mb();
	for_each_online_cpu(cpu) {
		if (cpu == smp_processor_id() || !fastterm_is_awake(cpu, &residency))
			continue;
		alone = false;
		if (tick_nohz_tick_stopped_cpu(cpu) || !samples_itself(cpu, now))
			fastterm_sample(cpu, begins_to_look, true);
		else if (!fastterm_nmi_comes(cpu))
			fastterm_sample(cpu, looks_if_masked, true);
	}
	if (alone)
		fastterm_nmi_disarm_all();
}

/**
 * fastterm_watchdog_update() - apply new values of fastterm_budget_ms and the other settings
 *
 * New values hold from the next tick on.
 *
 * Context: any.
 */
void fastterm_watchdog_update(void)
{
	const u64 now = ktime_get_mono_fast_ns();
	int cpu;

	/* Time before the change does not count. */
	for_each_possible_cpu(cpu)
		WRITE_ONCE(per_cpu(watches.last, cpu), now);
}

static int cpu_up(unsigned int cpu)
{
	struct watch *w = per_cpu_ptr(&watches, cpu);

	WRITE_ONCE(w->last, ktime_get_mono_fast_ns());
	set_dependent(cpu, false);
	return 0;
}

static int cpu_down_begins(unsigned int cpu)
{
	/* A tick may arm it again: then it moves to another CPU, where it does nothing. */
	hrtimer_cancel(&per_cpu(watches.timer, cpu));
	return 0;
}

static int handler(const struct ctl_table *table, int write, void *buffer, size_t *lenp,
		   loff_t *ppos)
{
	int err = proc_douintvec_minmax(table, write, buffer, lenp, ppos);

	if (!err && write)
		fastterm_watchdog_update();
	return err;
}

static unsigned int longest_budget = 3600 * MSEC_PER_SEC;
static unsigned int shortest_period = 1, longest_period = MSEC_PER_SEC;

static struct ctl_table watchdog_table[] = {
	{
		.procname = "bpf_fastterm_budget_ms",
		.data = &fastterm_budget_ms,
		.maxlen = sizeof(fastterm_budget_ms),
		.mode = 0644,
		.proc_handler = handler,
		.extra2 = &longest_budget,
	},
	{
		.procname = "bpf_fastterm_sleepable_budget_ms",
		.data = &fastterm_sleepable_budget_ms,
		.maxlen = sizeof(fastterm_sleepable_budget_ms),
		.mode = 0644,
		.proc_handler = handler,
		.extra2 = &longest_budget,
	},
	{
		.procname = "bpf_fastterm_period_ms",
		.data = &fastterm_period_ms,
		.maxlen = sizeof(fastterm_period_ms),
		.mode = 0644,
		.proc_handler = handler,
		.extra1 = &shortest_period,
		.extra2 = &longest_period,
	},
};

static int __init fastterm_watchdog_init(void)
{
	struct watch *w;
	int cpu, err;

	if (!fastterm_supported())
		return 0;
	for_each_possible_cpu(cpu) {
		w = per_cpu_ptr(&watches, cpu);
		hrtimer_init(&w->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
		w->timer.function = sample_by_timer;
		w->soon = IRQ_WORK_INIT_HARD(help_after_nmi);
	}
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "bpf/fastterm:watch", cpu_up,
				cpu_down_begins);
	if (err < 0)
		return err;
	register_sysctl("kernel", watchdog_table);
	return 0;
}
late_initcall(fastterm_watchdog_init);
