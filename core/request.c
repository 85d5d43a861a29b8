// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests for termination, and the kicks by which they are carried out.
 *
 * A requester claims the CPU's activation, says what is wanted, and interrupts
 * the CPU. The rest happens there, by kicks that repeat until the activation has
 * gone: soon again as long as something is left to do, and with every tick as
 * long as it has not left, since something that the program was about to enter
 * may have become part of it. Nothing is allocated, no lock is taken that another
 * CPU could hold, and no other CPU has to do anything.
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
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/tick.h>

#include <asm/irq_regs.h>

#include "activation.h"
#include "compat.h"
#include "program.h"
#include "trigger.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* The shortest and the longest time to the next kick, in ns. */
#define AGAIN_MIN	(20ull * NSEC_PER_USEC)
#define AGAIN_MAX	(1ull * NSEC_PER_MSEC)

/*
 * After so many kicks in a row that did not get hold of it, a program is taken to be no
 * longer running: it is the time for which a task in it may be preempted.
 */
#define MAX_MISSES	200u

/*
 * May the activation that is leaving give way to the one with a tag, which runs on this CPU now?
 * It may if all of its frames have been moved, and it needs no more kicks.
 */
static bool may_give_way(const struct fastterm_activation *a, const struct fastterm_tag *tag)
{
	return tag && a->complete && !a->busy && a->tag != tag;
}

/* A CPU that has gone offline runs no program. */
static int cpu_dead(unsigned int cpu)
{
	fastterm_lose(per_cpu_ptr(&fastterm_activation, cpu));
	return 0;
}

/*
 * Want the activation with a tag, or if that is NULL, one of the program's. The caller
 * does not change the CPU.
 */
static int want(const struct fastterm_prog *fprog, struct fastterm_tag *tag, int cpu)
{
	struct fastterm_activation *a = per_cpu_ptr(&fastterm_activation, cpu);
	int err = 0;

	if (!may_give_way(a, tag) || !fastterm_give_way(a))
		err = fastterm_claim(a, fprog->id);
	if (!err) {
		trace_bpf_fastterm_request(fprog->id, cpu);
		WRITE_ONCE(a->requests, a->requests + 1);
		/* Whoever sees any of the new outcome sees that there is one. */
		smp_wmb();
		a->fprog = fprog;
		a->ended = atomic_read(&fastterm_ended_progs);
		WRITE_ONCE(a->tag, tag);
		a->outcome = (struct fastterm_outcome){ .id = fprog->id };
		a->complete = false;
		a->unfinished = 0;
		a->taken = true;
		fastterm_lap(a);
		fastterm_want(a);
		/* Either we see that it has gone, or cpu_dead() sees what we want. */
		smp_mb();
		if (!cpu_online(cpu)) {
			cpu_dead(cpu);
			err = -ESRCH;
		}
	}
	return err;
}

/**
 * bpf_fastterm_terminate() - terminate a program's activation on a CPU
 * @prog: the program; the caller sees to it that it is not freed meanwhile
 * @cpu: the CPU
 *
 * Only this activation ends: other CPUs go on running the program, and it may be
 * entered anew. It is the one that the CPU runs when the kick arrives, or the first
 * that later kicks find, for as long as one may be preempted, some 200 ms. The call
 * does not wait; see bpf_fastterm_outcome(), which tells if there was none. A further
 * request while one is under way interrupts the CPU once more: by an NMI, where
 * there is one, if it has taken no ordinary interrupt of ours since the last.
 *
 * Context: any, NMI included.
 * Return: 0 if it has been requested; -EOPNOTSUPP if the machine cannot terminate
 * programs; -ENOENT if this program has no stub image; -ESRCH if the CPU runs
 * nothing, being offline; -EALREADY if it is being terminated; -EBUSY if another
 * program is, on that CPU.
 */
int bpf_fastterm_terminate(const struct bpf_prog *prog, int cpu)
{
	const struct fastterm_prog *fprog = prog->aux->fastterm.prog;
	struct fastterm_activation *a;
	int err;

	if (!fastterm_supported())
		return -EOPNOTSUPP;
	if (!fprog || !fprog->images)
		return -ENOENT;
	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -ESRCH;

	a = per_cpu_ptr(&fastterm_activation, cpu);
	preempt_disable();
	err = want(fprog, NULL, cpu);
	if (!err || err == -EALREADY)
		fastterm_arch_kick(cpu, !xchg(&a->taken, false));
	preempt_enable();
	return err;
}

/**
 * bpf_fastterm_outcome() - what has become of the last termination on a CPU?
 * @cpu: the CPU
 * @outcome: receives it
 *
 * Context: any.
 * Return: 0 if it has left; -EINPROGRESS if it has not yet; -ESRCH if it was not
 * running; -ENODATA if there was no termination.
 */
int bpf_fastterm_outcome(int cpu, struct fastterm_outcome *outcome)
{
	const struct fastterm_activation *a = per_cpu_ptr(&fastterm_activation, cpu);
	/* Acquire: before the state, and that before the outcome. */
	u32 requests = smp_load_acquire(&a->requests);
	int state = atomic_read_acquire(&a->state);

	if (state == FASTTERM_IDLE)
		return -ENODATA;
	if (state != FASTTERM_GONE && state != FASTTERM_LOST)
		return -EINPROGRESS;
	*outcome = a->outcome;
	/* Unless it is that of the next one by now. */
	smp_rmb();
	if (requests != READ_ONCE(a->requests))
		return -EINPROGRESS;
	return state == FASTTERM_GONE ? 0 : -ESRCH;
}

static void kick_in(struct fastterm_activation *a, u64 ns)
{
	hrtimer_start(&a->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

static u64 how_soon(const struct fastterm_activation *a)
{
	if (a->complete)
		return TICK_NSEC;
	return min(AGAIN_MIN << min(a->unfinished, 6), AGAIN_MAX);
}

/* Asked of the tick itself only where it may have been: it takes a while to answer. */
static bool tick_stopped(void)
{
	return (is_idle_task(current) || tick_nohz_full_enabled()) && tick_nohz_tick_stopped();
}

/*
 * See to the next kick. @err: what fastterm_redirect() said. Returns false if there
 * will be none, since the program is not running.
 */
static bool schedule_next_kick(struct fastterm_activation *a, int err)
{
	bool leaving = atomic_read(&a->state) == FASTTERM_LEAVING;

	a->unfinished = err ? a->unfinished + 1 : 0;
	if (!leaving && a->unfinished >= MAX_MISSES)
		return false;
	/* A stack that makes no sense now does not say that anything is left to do. */
	if (err != -EFAULT)
		a->complete = leaving && (!err || err == -ENOENT);
	/* With the tick stopped, lazy irq_work runs at once and requeues itself: use the timer. */
	if (a->complete && !tick_stopped())
		irq_work_queue(&a->tick);
	else if (in_nmi())
		irq_work_queue(&a->soon);
	else
		kick_in(a, how_soon(a));
	return true;
}

/* What interrupt_context_level() would say if preempt_count() were @count. */
static u8 level_of(unsigned long count)
{
	return !!(count & NMI_MASK) + !!(count & (NMI_MASK | HARDIRQ_MASK)) +
	       !!(count & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET));
}

/*
 * The level of the context that has been interrupted, as interrupt_context_level() numbers them.
 * Only an NMI interrupts a hardirq; what the NMI has added to the count itself does not count.
 */
static u8 interrupted_level(struct pt_regs *regs)
{
	const unsigned long count = preempt_count();

	if (fastterm_irqs_were_on(regs))
		return !!(count & SOFTIRQ_OFFSET);
	return level_of(count - NMI_OFFSET - HARDIRQ_OFFSET);
}

static __always_inline bool kicked(struct fastterm_activation *a, struct pt_regs *regs)
{
	bool wanted = atomic_read(&a->state) == FASTTERM_WANTED;
	u8 level = interrupted_level(regs);
	u32 frames = a->outcome.frames;
	int err;

	if (wanted)
		a->outcome.request_ns += fastterm_lap(a);
	err = fastterm_redirect(a, regs);
	a->outcome.refused += err == -EFAULT;
	/* Kicks that only verify a finished redirect are not counted. */
	a->outcome.kicks += !a->complete || a->outcome.frames != frames;
	if (atomic_read(&a->state) == FASTTERM_LEAVING) {
		if (wanted)
			a->level = level;
		WRITE_ONCE(*a->flag, true);
	}
	trace_bpf_fastterm_redirect(&a->outcome, level, err);
	return schedule_next_kick(a, err);
}

static void handle_kick(struct fastterm_activation *a, struct pt_regs *regs)
{
	int state = atomic_read_acquire(&a->state);
	bool lost;

	if (!in_nmi())
		WRITE_ONCE(a->taken, true);
	if (!regs || (state != FASTTERM_WANTED && state != FASTTERM_LEAVING) || a->busy)
		return;
	/* An NMI may come in between, and then leaves it to us. */
	a->busy = true;
	barrier();
	lost = !kicked(a, regs);
	barrier();
	a->busy = false;
	if (lost)
		fastterm_lose(a);
}

/**
 * fastterm_terminate_tag() - terminate the activation that has a tag, on this CPU
 * @tag: the tag
 * @regs: the interrupted registers
 *
 * The interrupt in which this is called is the first kick.
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: as bpf_fastterm_terminate().
 */
int fastterm_terminate_tag(struct fastterm_tag *tag, struct pt_regs *regs)
{
	int err = want(tag->fprog, tag, smp_processor_id());

	if (!err || err == -EALREADY)
		handle_kick(this_cpu_ptr(&fastterm_activation), regs);
	return err;
}

/* Who has asked for a sample of the CPU, and is to be told of the interrupted registers. */
static DEFINE_PER_CPU(fastterm_sampled_fn, sampled_by);

/**
 * fastterm_sample() - let a trigger see what a CPU is doing
 * @cpu: the CPU, which may be this one
 * @sampled: is called there
 * @insist: even if interrupts are off there
 *
 * This does not wait. Of several who ask at the same time only the last one is told.
 *
 * Context: any.
 */
void fastterm_sample(int cpu, fastterm_sampled_fn sampled, bool insist)
{
	WRITE_ONCE(per_cpu(sampled_by, cpu), sampled);
	fastterm_arch_kick(cpu, insist);
}

/**
 * fastterm_kicked() - a kick has arrived
 * @regs: the registers that it interrupted
 *
 * Nothing is done if this CPU has nobody to terminate and nobody has asked for a sample, or if
 * every frame has been moved and interrupts are on.
 *
 * Context: hardirq or NMI, with interrupts off; from the architecture's backend.
 */
void fastterm_kicked(struct pt_regs *regs)
{
	struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);
	fastterm_sampled_fn sampled = NULL;

	/* A trigger's own interrupt may be later, as where a virtual CPU has just got its turn. */
	if (regs && fastterm_irqs_were_on(regs))
		fastterm_irqs_reach_again();
	if (regs && __this_cpu_read(sampled_by))
		sampled = this_cpu_xchg(sampled_by, NULL);
	if (sampled)
		sampled(regs);
	/* No tick comes where interrupts are off, where the program may have been entered anew. */
	if (!a->complete || in_nmi())
		handle_kick(a, regs);
}

static enum hrtimer_restart kick_by_timer(struct hrtimer *timer)
{
	struct fastterm_activation *a = container_of(timer, typeof(*a), timer);

	/* A CPU that goes offline hands its timers to another one, which looks for its own. */
	if (a == this_cpu_ptr(&fastterm_activation))
		handle_kick(a, get_irq_regs());
	return HRTIMER_NORESTART;
}

/* With the tick, whose registers are known; or by itself, if that has been stopped. */
static void kick_by_tick(struct irq_work *work)
{
	struct fastterm_activation *a = container_of(work, typeof(*a), tick);
	struct pt_regs *regs = get_irq_regs();

	if (regs)
		handle_kick(a, regs);
	else if (atomic_read(&a->state) == FASTTERM_LEAVING)
		kick_in(a, TICK_NSEC);
}

static void kick_after_nmi(struct irq_work *work)
{
	struct fastterm_activation *a = container_of(work, typeof(*a), soon);

	if (atomic_read(&a->state) == FASTTERM_WANTED ||
	    atomic_read(&a->state) == FASTTERM_LEAVING)
		kick_in(a, how_soon(a));
}

static int __init fastterm_request_init(void)
{
	struct fastterm_activation *a;
	int cpu;

	for_each_possible_cpu(cpu) {
		a = per_cpu_ptr(&fastterm_activation, cpu);
		a->flag = per_cpu_ptr(&fastterm_leaving, cpu);
		fastterm_redirect_init(a, cpu);
		hrtimer_init(&a->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
		a->timer.function = kick_by_timer;
		a->tick = IRQ_WORK_INIT_LAZY(kick_by_tick);
		a->soon = IRQ_WORK_INIT_HARD(kick_after_nmi);
	}
	cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "bpf/fastterm:dead", NULL, cpu_dead);
	return 0;
}
core_initcall(fastterm_request_init);
