/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The activation that is terminated on a CPU, the states that this goes through, and the tags
 * by which an activation is known again.
 */
#ifndef _BPF_FASTTERM_ACTIVATION_H
#define _BPF_FASTTERM_ACTIVATION_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fastterm.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/types.h>

struct fastterm_finds;
struct fastterm_prog;
struct fastterm_where;
struct pt_regs;
struct task_struct;

/**
 * struct fastterm_tag - an activation whose base frame returns to the tag
 * @fprog: what is known of its program
 * @id: the program's
 * @task: in which it runs
 * @sp: stack pointer behind the return of its base frame
 * @back: where that return would have gone
 * @ran_ns: for how long it has been seen running, for whoever watches it
 * @leaving: it has been redirected
 *
 * Of the CPU on which it runs, and changed there alone. Aligned, so that its number in the
 * CPU's table is found by a shift.
 */
struct fastterm_tag {
	const struct fastterm_prog *fprog;
	u32 id;
	const struct task_struct *task;
	unsigned long sp;
	unsigned long back;
	u64 ran_ns;
	bool leaving;
} ____cacheline_aligned;

struct fastterm_tag *fastterm_tag_at(unsigned long sp);
void fastterm_tag_free(const struct fastterm_tag *tag);
struct fastterm_tag *fastterm_tag_return(const struct fastterm_where *where,
					 const struct fastterm_prog *fprog);

/**
 * struct fastterm_activation - the activation that is terminated on a CPU
 * @state: enum fastterm_state
 * @fprog: what is known of the program; not to be followed once it has left
 * @ended: fastterm_ended_progs when it was requested
 * @tag: its tag; NULL while any activation of the program will do
 * @outcome: what is to be told of it
 * @since: when the last of the outcome's times began, by sched_clock(), in ns
 * @level: context in which it runs, as interrupt_context_level() numbers them
 * @requests: how many there have been
 * @taken: the CPU has taken an ordinary kick since the last request
 * @complete: every frame has been moved
 * @unfinished: kicks in a row that could not do all
 * @busy: a kick is at work on it; an NMI may interrupt that
 * @flag: this CPU's fastterm_leaving
 * @finds: where this CPU's kicks keep what they find
 * @timer: the next kick, if the last one could not do all
 * @tick: the next kick otherwise, with the tick
 * @soon: arms @timer out of an NMI
 */
struct fastterm_activation {
	atomic_t state;
	const struct fastterm_prog *fprog;
	int ended;
	struct fastterm_tag *tag;
	struct fastterm_outcome outcome;
	u64 since;
	u8 level;
	u32 requests;
	bool taken;
	bool complete;
	u32 unfinished;
	bool busy;
	bool *flag;
	struct fastterm_finds *finds;
	struct hrtimer timer;
	struct irq_work tick;
	struct irq_work soon;
};

DECLARE_PER_CPU(struct fastterm_activation, fastterm_activation);

/**
 * enum fastterm_state - of the termination on a CPU
 * @FASTTERM_IDLE: there was none yet
 * @FASTTERM_CLAIMED: somebody is about to request one, or to end it
 * @FASTTERM_WANTED: the program has not been found yet
 * @FASTTERM_LEAVING: it has, and its base frame is tagged
 * @FASTTERM_GONE: it has left
 * @FASTTERM_LOST: it was not found, and is no longer looked for
 *
 *	            .----------------------.
 *	            v                      |
 *	IDLE --> CLAIMED --> WANTED --> LEAVING --> GONE
 *	            ^          | |                   | ^
 *	            |          | `-------------------|-'
 *	            |          `------> LOST         |
 *	            `---------------------+----------'
 *
 * All transitions are made by the functions below, and by nobody else:
 *
 *	IDLE, GONE, LOST --> CLAIMED	fastterm_claim()
 *	LEAVING --> CLAIMED		fastterm_give_way()
 *	CLAIMED --> WANTED		fastterm_want()
 *	WANTED --> LEAVING		fastterm_leave()
 *	WANTED --> LOST			fastterm_lose()
 *	WANTED, LEAVING --> GONE	fastterm_begin_exit(), fastterm_finish_exit()
 *
 * Requesters, on any CPU, compete for CLAIMED; the rest is done on the CPU itself, unless
 * it has gone offline. The functions are inline since a kick calls them: nobody can trace or
 * probe them, and they cost it nothing.
 */
enum fastterm_state {
	FASTTERM_IDLE,
	FASTTERM_CLAIMED,
	FASTTERM_WANTED,
	FASTTERM_LEAVING,
	FASTTERM_GONE,
	FASTTERM_LOST,
};

/**
 * fastterm_claim() - claim a CPU's activation for the next termination
 * @a: the activation, of any CPU
 * @id: of the program that is to be terminated
 *
 * Only one of several requesters succeeds, and none while a termination is under way. Nobody
 * else touches @a until the successful one calls fastterm_want().
 *
 * Context: any.
 * Return: 0; -EALREADY if the program is being terminated there; -EBUSY if another one is, or
 * if somebody else is about to request that.
 */
static __always_inline int fastterm_claim(struct fastterm_activation *a, u32 id)
{
	int state = atomic_read(&a->state);

	do {
		if (state == FASTTERM_CLAIMED)
			return -EBUSY;
		if (state == FASTTERM_WANTED || state == FASTTERM_LEAVING)
			return READ_ONCE(a->outcome.id) == id ? -EALREADY : -EBUSY;
	} while (!atomic_try_cmpxchg_acquire(&a->state, &state, FASTTERM_CLAIMED));
	return 0;
}

/**
 * fastterm_give_way() - claim it in spite of the termination that is under way
 * @a: this CPU's activation
 *
 * What is LEAVING, and cannot go on since it is interrupted, preempted or asleep, gives way to
 * another activation on its CPU. It leaves all the same, and is counted, but nobody is told. If
 * a function of the kernel goes on calling it, it is suspected anew.
 *
 * Context: any that does not change the CPU.
 * Return: true if it was LEAVING, and is claimed now.
 */
static __always_inline bool fastterm_give_way(struct fastterm_activation *a)
{
	int leaving = FASTTERM_LEAVING;

	return atomic_try_cmpxchg_acquire(&a->state, &leaving, FASTTERM_CLAIMED);
}

/**
 * fastterm_want() - whoever has claimed it has written down what is to be terminated
 * @a: the activation, of any CPU, which the caller has claimed
 *
 * Release: who reads the state sees what has been written down.
 *
 * Context: any.
 */
static __always_inline void fastterm_want(struct fastterm_activation *a)
{
	atomic_set_release(&a->state, FASTTERM_WANTED);
}

/**
 * fastterm_leave() - a kick has found it and has tagged its base frame
 * @a: this CPU's activation, which is WANTED, or LEAVING already
 *
 * Context: hardirq or NMI, with interrupts off; a kick.
 */
static __always_inline void fastterm_leave(struct fastterm_activation *a)
{
	atomic_set(&a->state, FASTTERM_LEAVING);
}

/**
 * fastterm_lose() - it is looked for no more
 * @a: the activation, of this CPU or of one that has gone offline; nothing happens unless it
 *     is WANTED
 *
 * From here on it may be claimed anew.
 *
 * Context: any.
 */
static __always_inline void fastterm_lose(struct fastterm_activation *a)
{
	int wanted = FASTTERM_WANTED;

	atomic_try_cmpxchg(&a->state, &wanted, FASTTERM_LOST);
}

/**
 * fastterm_begin_exit() - it has returned to its tag, and its outcome is about to be written
 * @a: this CPU's activation
 * @state: WANTED or LEAVING, as the caller has read it
 *
 * It is CLAIMED meanwhile. A program that is wanted may also leave before a kick finds it.
 *
 * Context: any that does not change the CPU.
 * Return: true if it was still in that state; then fastterm_finish_exit() or
 * fastterm_cancel_exit() has to follow.
 */
static __always_inline bool fastterm_begin_exit(struct fastterm_activation *a, int state)
{
	return atomic_try_cmpxchg(&a->state, &state, FASTTERM_CLAIMED);
}

/**
 * fastterm_cancel_exit() - it is another one that has returned
 * @a: this CPU's activation
 * @state: the same as for fastterm_begin_exit()
 *
 * Context: any that does not change the CPU.
 */
static __always_inline void fastterm_cancel_exit(struct fastterm_activation *a, int state)
{
	atomic_set_release(&a->state, state);
}

/**
 * fastterm_finish_exit() - it has left, and its outcome is complete
 * @a: this CPU's activation
 *
 * Release: who reads the state sees the outcome. From here on it may be claimed anew.
 *
 * Context: any that does not change the CPU.
 */
static __always_inline void fastterm_finish_exit(struct fastterm_activation *a)
{
	atomic_set_release(&a->state, FASTTERM_GONE);
}

/**
 * fastterm_lap() - measure a time of an outcome, and begin the next one
 * @a: the activation
 *
 * Another CPU, which has made the request, may have begun it with a clock that is ahead of this
 * one's: then the time is 0. Nobody can trace or probe the reading of this clock: a program that
 * is attached to it would run while nothing can be terminated on this CPU.
 *
 * Context: any that does not change the CPU.
 * Return: the time since the last call, in ns.
 */
static __always_inline u64 fastterm_lap(struct fastterm_activation *a)
{
	u64 now = sched_clock_noinstr(), since = a->since;

	a->since = now;
	return now > since ? now - since : 0;
}

void fastterm_redirect_init(struct fastterm_activation *activation, int cpu);
int fastterm_redirect(struct fastterm_activation *activation, struct pt_regs *regs);

#endif /* _BPF_FASTTERM_ACTIVATION_H */
