// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests for termination, and the kicks that carry them out.
 *
 * A requester claims the CPU's activation, writes down what is to be terminated, and
 * interrupts the CPU. Everything else happens on that CPU, in kicks that repeat until the
 * activation has left. As long as something is left to do, the next kick comes soon. After
 * that, kicks come with each tick until the activation has left, since a function that the
 * program was about to enter may have become part of the activation. A kick allocates no
 * memory, takes no lock that another CPU may hold, and waits for no other CPU.
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
 * After so many kicks in a row that have not found the program, it is considered to have
 * left. Until then, a task that runs the program may be preempted.
 */
#define MAX_MISSES	200u

/*
 * May the activation that is leaving give way to the one with @tag, which runs on this CPU
 * now? It may if all of its frames have been moved, so that it needs no more kicks.
 */
static bool may_give_way(const struct fastterm_activation *a, const struct fastterm_tag *tag)
{
	return tag && a->complete && !a->busy && a->tag != tag;
}

/* A CPU that is offline runs no program. */
static int cpu_dead(unsigned int cpu)
{
	fastterm_lose(per_cpu_ptr(&fastterm_activation, cpu));
	return 0;
}

/*
 * Request the termination of the activation with @tag or, if that is NULL, of any
 * activation of the program. The caller does not change the CPU.
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
		/*
		 * Pairs with bpf_fastterm_outcome(): a reader of any part of the new
		 * outcome sees the new count.
		 */
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
		/* Either this sees that the CPU is offline, or cpu_dead() sees the state WANTED. */
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
	const struct fastterm_activation *a = per_cpu_ptr(&fastterm_activation, cpu);
	/* Acquire: read the count before the state, and the state before the outcome. */
	u32 requests = smp_load_acquire(&a->requests);
	int state = atomic_read_acquire(&a->state);

	if (state == FASTTERM_IDLE)
		return -ENODATA;
	if (state != FASTTERM_GONE && state != FASTTERM_LOST)
		return -EINPROGRESS;
	*outcome = a->outcome;
	/* A changed count means that the outcome may be that of the next termination. */
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

/* tick_nohz_tick_stopped() is slow: call it only where the tick may be stopped. */
static bool tick_stopped(void)
{
	return (is_idle_task(current) || tick_nohz_full_enabled()) && tick_nohz_tick_stopped();
}

/*
 * Schedule the next kick. @err is what fastterm_redirect() has returned. Returns false if
 * there will be no further kick, since the program is not running.
 */
static bool schedule_next_kick(struct fastterm_activation *a, int err)
{
	bool leaving = atomic_read(&a->state) == FASTTERM_LEAVING;

	a->unfinished = err ? a->unfinished + 1 : 0;
	if (!leaving && a->unfinished >= MAX_MISSES)
		return false;
	/* A stack that makes no sense now does not mean that frames are left to be moved. */
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

/* The value of interrupt_context_level() if preempt_count() were @count. */
static u8 level_of(unsigned long count)
{
	return !!(count & NMI_MASK) + !!(count & (NMI_MASK | HARDIRQ_MASK)) +
	       !!(count & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET));
}

/*
 * The level of the interrupted context, as interrupt_context_level() numbers them. Only an
 * NMI interrupts a hardirq; what the NMI itself has added to the count is taken off.
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
	/* An NMI that interrupts this sees busy, and does nothing. */
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
 * Return: the same as for bpf_fastterm_terminate().
 */
int fastterm_terminate_tag(struct fastterm_tag *tag, struct pt_regs *regs)
{
	int err = want(tag->fprog, tag, smp_processor_id());

	if (!err || err == -EALREADY)
		handle_kick(this_cpu_ptr(&fastterm_activation), regs);
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
 * Context: hardirq or NMI, with interrupts off; from the architecture's backend.
 */
void fastterm_kicked(struct pt_regs *regs)
{
	struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);
	fastterm_sampled_fn sampled = NULL;

	/*
	 * A trigger's own interrupt may come later than this, as when a virtual CPU is
	 * scheduled again.
	 */
	if (regs && fastterm_irqs_were_on(regs))
		fastterm_irqs_reach_again();
	if (regs && __this_cpu_read(sampled_by))
		sampled = this_cpu_xchg(sampled_by, NULL);
	if (sampled)
		sampled(regs);
	/*
	 * In an NMI, do not wait for the tick: interrupts may be off, and the program
	 * entered again.
	 */
	if (!a->complete || in_nmi())
		handle_kick(a, regs);
}

static enum hrtimer_restart kick_by_timer(struct hrtimer *timer)
{
	struct fastterm_activation *a = container_of(timer, typeof(*a), timer);

	/*
	 * Timers of a CPU that goes offline move to another CPU, which has an activation of
	 * its own.
	 */
	if (a == this_cpu_ptr(&fastterm_activation))
		handle_kick(a, get_irq_regs());
	return HRTIMER_NORESTART;
}

/*
 * Runs in the tick, which has stored the interrupted registers; or without registers, if
 * the tick is stopped.
 */
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
