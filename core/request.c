// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests for termination, and the kicks that carry them out.
 *
 * A requester claims the CPU's state, writes down what is to be terminated, and interrupts
 * the CPU; a trigger says which of the CPU's own activations is to leave. Everything else
 * happens on that CPU, in kicks that repeat until all such activations have left. As long as
 * something is left to do, the next kick comes soon. After that, each tick is a kick,
 * since a function that the program was about to enter may have become part of the
 * activation. A kick allocates no memory, takes no lock that another CPU may hold, and waits
 * for no other CPU. What it calls may be traced and probed, but no program is entered there:
 * see fastterm_interrupt_begins().
 */
#include <linux/bpf.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/tick.h>

#include <asm/irq_regs.h>

#include "activation.h"
#include "compat.h"
#include "events.h"
#include "nmi.h"
#include "program.h"
#include "trace.h"
#include "trigger.h"

/* The shortest and the longest time to the next kick, in ns. */
#define AGAIN_MIN	(20ull * NSEC_PER_USEC)
#define AGAIN_MAX	(1ull * NSEC_PER_MSEC)

/*
 * After so many kicks in a row that have not found the program, it is considered to have
 * left. Until then, a task that runs the program may be preempted.
 */
#define MAX_MISSES	200u

/* A CPU that is offline runs no program. */
static int cpu_dead(unsigned int cpu)
{
	fastterm_lose(per_cpu_ptr(&fastterm_cpu, cpu));
	return 0;
}

/*
 * Claim a CPU's state and begin a new outcome. The caller, which has interrupts off, has to
 * call fastterm_want() or fastterm_leave() next.
 */
static int begin_request(struct fastterm_cpu *c, const struct fastterm_prog *fprog, u32 id)
{
	int err = fastterm_claim(c, id);

	if (err)
		return err;
	WRITE_ONCE(c->requests, c->requests + 1);
	/*
	 * Pairs with bpf_fastterm_outcome(): a reader of any part of the new outcome sees the
	 * new count.
	 */
	smp_wmb();
	/* A program without images may be freed without being counted as ended. */
	c->fprog = fprog->images ? fprog : NULL;
	c->ended = atomic_read(&fastterm_ended_progs);
	c->outcome = (struct fastterm_outcome){ .id = id };
	c->misses = 0;
	c->taken = true;
	return 0;
}

/* Request the termination of any activation of the program. */
static int want(const struct fastterm_prog *fprog, int cpu)
{
	struct fastterm_cpu *c = per_cpu_ptr(&fastterm_cpu, cpu);
	unsigned long flags;
	int err;

	/* No program can interrupt this and keep the state CLAIMED. */
	raw_local_irq_save(flags);
	err = begin_request(c, fprog, fprog->id);
	if (!err) {
		fastterm_lap(&c->since);
		fastterm_want(c);
		/* Either this sees that the CPU is offline, or cpu_dead() sees the state WANTED. */
		smp_mb();
		if (!cpu_online(cpu)) {
			cpu_dead(cpu);
			err = -ESRCH;
		}
	}
	raw_local_irq_restore(flags);
	return err;
}

/**
 * bpf_fastterm_terminate() - terminate a program's activation on a CPU
 * @prog: the program, which the caller keeps from being freed
 * @cpu: the CPU
 *
 * Only this activation ends: other CPUs go on running the program, and it may be entered
 * again. The activation is the one that the CPU runs when the kick arrives, or the first
 * one that a later kick finds; kicks look for it for some 200 ms, since its task may be
 * preempted. The function does not wait; bpf_fastterm_outcome() tells whether an activation
 * has been found. A further request while one is under way interrupts the CPU once more. If
 * the CPU has taken no kick in an ordinary interrupt since the last request, it is
 * interrupted by an NMI, where the machine has NMIs.
 *
 * Context: any, NMI included.
 * Return: 0 if the termination has been requested; -EOPNOTSUPP if the machine cannot
 * terminate programs; -ENOENT if the program has no stub image; -ESRCH if the CPU is
 * offline; -EALREADY if the program is being terminated there; -EBUSY if another program is
 * being terminated there.
 */
int bpf_fastterm_terminate(const struct bpf_prog *prog, int cpu)
{
	const struct fastterm_prog *fprog = fastterm_of(prog);
	struct fastterm_cpu *c;
	int err;

	if (!fastterm_supported())
		return -EOPNOTSUPP;
	if (!fprog || !fprog->images)
		return -ENOENT;
	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -ESRCH;

	c = per_cpu_ptr(&fastterm_cpu, cpu);
	preempt_disable();
	err = want(fprog, cpu);
	if (!err || err == -EALREADY)
		fastterm_arch_kick(cpu, !xchg(&c->taken, false));
	if (!err)
		trace_bpf_fastterm_request(fprog->id, cpu);
	preempt_enable();
	return err;
}

/**
 * bpf_fastterm_outcome() - get the outcome of the last termination on a CPU
 * @cpu: the CPU
 * @outcome: receives it
 *
 * Context: any.
 * Return: 0 if the activation has left; -EINPROGRESS if it has not left yet; -ESRCH if the
 * program was not running; -ENODATA if there has been no termination on the CPU.
 */
int bpf_fastterm_outcome(int cpu, struct fastterm_outcome *outcome)
{
	const struct fastterm_cpu *c = per_cpu_ptr(&fastterm_cpu, cpu);
	/* Acquire: read the count before the state, and the state before the outcome. */
	u32 requests = smp_load_acquire(&c->requests);
	int state = atomic_read_acquire(&c->state);

	if (state == FASTTERM_IDLE)
		return -ENODATA;
	if (state != FASTTERM_GONE && state != FASTTERM_LOST)
		return -EINPROGRESS;
	*outcome = c->outcome;
	/* A changed count means that the outcome may be that of the next termination. */
	smp_rmb();
	if (requests != READ_ONCE(c->requests))
		return -EINPROGRESS;
	return state == FASTTERM_GONE ? 0 : -ESRCH;
}

static void kick_in(struct fastterm_cpu *c, u64 ns)
{
	hrtimer_start(&c->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

static u64 how_soon(const struct fastterm_cpu *c)
{
	if (!c->unfinished)
		return TICK_NSEC;
	return min(AGAIN_MIN << min(c->unfinished, 6), AGAIN_MAX);
}

/* tick_nohz_tick_stopped() is slow: call it only where the tick may be stopped. */
static bool tick_stopped(void)
{
	return (is_idle_task(current) || tick_nohz_full_enabled()) && tick_nohz_tick_stopped();
}

/* Has the last request not found its program yet, or an activation frames that are not moved? */
static bool is_unfinished(const struct fastterm_cpu *c)
{
	return atomic_read(&c->state) == FASTTERM_WANTED || fastterm_tag_leaving(true);
}

/*
 * Schedule the next kick, if anything is left to leave. @err is what fastterm_redirect() has
 * returned, and @level the level of the interrupted context. A context that is not part of any
 * such activation cannot be helped soon: what is left is interrupted, preempted or asleep.
 */
static void schedule_next_kick(struct fastterm_cpu *c, u8 level, int err)
{
	const bool wanted = atomic_read(&c->state) == FASTTERM_WANTED;

	if (!wanted && !this_cpu_read(fastterm_nr_leaving)) {
		c->unfinished = 0;
		return;
	}
	if (wanted || (err && err != -ENOENT && fastterm_tag_leaving(true)))
		c->unfinished++;
	else
		c->unfinished = 0;
	/* The next tick is the next kick, also if it comes only when the CPU has been idle. */
	if (!c->unfinished && (!tick_stopped() || (is_idle_task(current) && !level)))
		return;
	if (in_nmi())
		irq_work_queue(&c->soon);
	else
		kick_in(c, how_soon(c));
}

/* Look for activations that are to leave, and move the innermost one. */
static void handle_kick(struct fastterm_cpu *c, struct pt_regs *regs)
{
	/* Acquire: the requester has written @c before it has set the state. */
	const bool wanted = atomic_read_acquire(&c->state) == FASTTERM_WANTED;
	struct fastterm_outcome *outcome = &c->outcome;
	struct fastterm_tag *tag;
	bool counts = true;
	u8 level;
	int err;

	if (!in_nmi())
		WRITE_ONCE(c->taken, true);
	if (!wanted) {
		tag = fastterm_tag_leaving(true) ?: fastterm_tag_leaving(false);
		if (!tag)
			return;
		outcome = &tag->outcome;
		counts = !tag->complete;
	}
	level = fastterm_level(regs);
	if (wanted)
		outcome->request_ns += fastterm_lap(&c->since);
	err = fastterm_redirect(c, regs, level, &tag);
	if (tag) {
		outcome = &tag->outcome;
	} else {
		outcome->kicks += counts;
		outcome->refused += err == -EFAULT;
	}
	fastterm_event_redirect(outcome, level, err);
	schedule_next_kick(c, level, err);
	if (atomic_read(&c->state) == FASTTERM_WANTED && ++c->misses >= MAX_MISSES)
		fastterm_lose(c);
}

/**
 * fastterm_terminate_tag() - terminate the activation that has a tag, on this CPU
 * @tag: the tag
 * @regs: the interrupted registers
 *
 * The interrupt in which this is called is the first kick. If the program has no stub image,
 * what is nested in its activation is terminated, and no tracing program is entered from it
 * any more: then it is short.
 *
 * Context: an interrupt of ours; in the one that interrupted @regs.
 * Return: 0; -EALREADY if the activation is being terminated.
 */
int fastterm_terminate_tag(struct fastterm_tag *tag, struct pt_regs *regs)
{
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	int err = 0;

	if (tag->leaving) {
		err = -EALREADY;
	} else {
		tag->outcome = (struct fastterm_outcome){ .id = tag->id };
		fastterm_lap(&tag->since);
		fastterm_tag_leaves(tag);
		/* If another request is under way, the outcome is only reported to triggers. */
		if (!begin_request(c, tag->fprog, tag->id))
			fastterm_leave(c, tag);
		fastterm_event_request(tag->id);
	}
	handle_kick(c, regs);
	return err;
}

/* The function of the trigger that has requested a sample of the CPU. */
static DEFINE_PER_CPU(fastterm_sampled_fn, sampled_by);

/**
 * fastterm_sample() - request a sample of a CPU for a trigger
 * @cpu: the CPU, which may be this one
 * @sampled: the function that is called on @cpu
 * @insist: interrupt @cpu even if it has interrupts off
 *
 * This does not wait. If several triggers request a sample at the same time, only the
 * function of the last one is called.
 *
 * Context: any.
 */
void fastterm_sample(int cpu, fastterm_sampled_fn sampled, bool insist)
{
	WRITE_ONCE(per_cpu(sampled_by, cpu), sampled);
	fastterm_arch_kick(cpu, insist);
}

/**
 * fastterm_kicked() - handle a kick
 * @regs: the registers that it interrupted
 *
 * This does nothing if there is neither an activation to terminate on this CPU nor a
 * request for a sample, or if every frame has been moved and interrupts are on.
 *
 * Context: hardirq or NMI, with interrupts off; from the architecture's backend. Neither
 * traced nor probed.
 */
notrace void fastterm_kicked(struct pt_regs *regs)
{
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	fastterm_sampled_fn sampled = NULL;

	if (!regs || !fastterm_interrupt_begins(c))
		return;
	/*
	 * A trigger's own interrupt may come later than this, as when a virtual CPU is
	 * scheduled again.
	 */
	if (fastterm_irqs_were_on(regs))
		fastterm_irqs_reach_again();
	if (__this_cpu_read(sampled_by))
		sampled = this_cpu_xchg(sampled_by, NULL);
	if (sampled)
		sampled(regs);
	/*
	 * In an NMI, do not wait for the tick: interrupts may be off, and the program
	 * entered again.
	 */
	if (is_unfinished(c) || in_nmi())
		handle_kick(c, regs);
	fastterm_interrupt_ends(c);
}

NOKPROBE_SYMBOL(fastterm_kicked);

#ifdef CONFIG_BPF_FASTTERM_WATCHDOG
/**
 * fastterm_trigger_nmi() - let triggers take a sample in an NMI that nobody has requested
 * @regs: the interrupted registers
 * @timer: it is the one that fastterm_nmi_arm() has armed
 *
 * Context: NMI; in the one that interrupted @regs.
 */
notrace void fastterm_trigger_nmi(struct pt_regs *regs, bool timer)
{
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);

	if (!regs)
		return;
	if (!fastterm_interrupt_begins(c)) {
		/* What the interrupt of ours returns to may run away, and nobody else look. */
		if (timer)
			fastterm_nmi_arm(NSEC_PER_MSEC, true);
		return;
	}
	fastterm_watchdog_looks(regs, timer);
	if (is_unfinished(c))
		handle_kick(c, regs);
	fastterm_interrupt_ends(c);
}

NOKPROBE_SYMBOL(fastterm_trigger_nmi);
#endif

static notrace enum hrtimer_restart kick_by_timer(struct hrtimer *timer)
{
	struct fastterm_cpu *c = container_of(timer, typeof(*c), timer);
	struct pt_regs *regs = get_irq_regs();

	/*
	 * Timers of a CPU that goes offline move to another CPU, which has terminations of
	 * its own.
	 */
	if (c == this_cpu_ptr(&fastterm_cpu) && regs && fastterm_interrupt_begins(c)) {
		handle_kick(c, regs);
		fastterm_interrupt_ends(c);
	}
	return HRTIMER_NORESTART;
}

NOKPROBE_SYMBOL(kick_by_timer);

/**
 * fastterm_ticked() - handle a tick
 *
 * If an activation on this CPU is to leave, and the next kick does not come soon, the tick is
 * a kick. Triggers may take a sample.
 *
 * Context: hardirq, with interrupts off; from fastterm_tick(). Neither traced nor probed.
 */
notrace void fastterm_ticked(void)
{
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	struct pt_regs *regs = get_irq_regs();

	if (!regs || !fastterm_interrupt_begins(c))
		return;
	if (this_cpu_read(fastterm_nr_leaving) && !c->unfinished)
		handle_kick(c, regs);
	fastterm_trigger_ticked(regs);
	fastterm_interrupt_ends(c);
}

NOKPROBE_SYMBOL(fastterm_ticked);

static notrace void kick_after_nmi(struct irq_work *work)
{
	struct fastterm_cpu *c = container_of(work, struct fastterm_cpu, soon);

	if (!fastterm_interrupt_begins(c))
		return;
	if (atomic_read(&c->state) == FASTTERM_WANTED || this_cpu_read(fastterm_nr_leaving))
		kick_in(c, how_soon(c));
	fastterm_interrupt_ends(c);
}

NOKPROBE_SYMBOL(kick_after_nmi);

static int __init fastterm_request_init(void)
{
	struct fastterm_cpu *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(&fastterm_cpu, cpu);
		c->flag = per_cpu_ptr(&fastterm_leaving, cpu);
		fastterm_redirect_init(c, cpu);
		hrtimer_init(&c->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
		c->timer.function = kick_by_timer;
		c->soon = IRQ_WORK_INIT_HARD(kick_after_nmi);
	}
	cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "bpf/fastterm:dead", NULL, cpu_dead);
	return 0;
}
core_initcall(fastterm_request_init);
