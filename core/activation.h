/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The activation that is being terminated on a CPU, the states of a termination, and the
 * tags by which an activation is recognised.
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
 * struct fastterm_tag - an activation whose base frame returns to fastterm_arch_exit()
 * @fprog: its program
 * @id: the id of its program
 * @task: the task in which it runs
 * @sp: stack pointer behind the return of its base frame
 * @back: the original return address of its base frame
 * @ran_ns: for how long a trigger has seen it running
 * @leaving: it has been redirected
 *
 * A tag belongs to the CPU on which its activation runs, and only that CPU writes it. It is
 * aligned so that its index in the CPU's table is computed by a shift.
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
 * struct fastterm_activation - the activation that is being terminated on a CPU
 * @state: enum fastterm_state
 * @fprog: the program; not to be dereferenced after it has left
 * @ended: fastterm_ended_progs at the time of the request
 * @tag: its tag; NULL as long as any activation of the program will do
 * @outcome: what will be reported about it
 * @since: when the last of the outcome's times began, by sched_clock(), in ns
 * @level: context in which it runs, as interrupt_context_level() numbers them
 * @requests: number of requests since boot
 * @taken: the CPU has taken an ordinary kick since the last request
 * @complete: every frame has been moved
 * @unfinished: number of kicks in a row that have left something to do
 * @busy: a kick is being handled; an NMI may interrupt it
 * @flag: this CPU's fastterm_leaving
 * @finds: this CPU's buffer for what a kick finds
 * @timer: the next kick, if the last one has left something to do
 * @tick: otherwise the next kick, which comes with the tick
 * @soon: arms @timer on behalf of an NMI
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
 * enum fastterm_state - the state of the termination on a CPU
 * @FASTTERM_IDLE: there has been no termination yet
 * @FASTTERM_CLAIMED: a termination is about to be requested, or about to end
 * @FASTTERM_WANTED: a termination has been requested; no kick has found the program yet
 * @FASTTERM_LEAVING: a kick has found the program and has tagged its base frame
 * @FASTTERM_GONE: the activation has left
 * @FASTTERM_LOST: the program was not found, and kicks no longer look for it
 *
 *	            .----------------------.
 *	            v                      |
 *	IDLE --> CLAIMED --> WANTED --> LEAVING --> GONE
 *	            ^          | |                   | ^
 *	            |          | `-------------------|-'
 *	            |          `------> LOST         |
 *	            `---------------------+----------'
 *
 * Only the functions below change the state:
 *
 *	IDLE, GONE, LOST --> CLAIMED	fastterm_claim()
 *	LEAVING --> CLAIMED		fastterm_give_way()
 *	CLAIMED --> WANTED		fastterm_want()
 *	WANTED --> LEAVING		fastterm_leave()
 *	WANTED --> LOST			fastterm_lose()
 *	WANTED, LEAVING --> GONE	fastterm_begin_exit(), fastterm_finish_exit()
 *
 * Requesters on any CPU compete for CLAIMED. All other transitions are made on the CPU
 * itself, unless it has gone offline. The functions are inline because a kick calls them:
 * this way they cannot be traced or probed, and cost no call.
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
 * @id: the id of the program that is to be terminated
 *
 * Only one of several concurrent requesters succeeds, and none while a termination is under
 * way. After that, no other code writes @a until the requester calls fastterm_want().
 *
 * Context: any.
 * Return: 0; -EALREADY if the program is being terminated on that CPU; -EBUSY if another
 * program is, or if another requester has claimed the activation.
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
 * fastterm_give_way() - claim this CPU's activation in spite of a termination under way
 * @a: this CPU's activation
 *
 * An activation that is LEAVING, but is interrupted, preempted or asleep, gives way to
 * another activation on its CPU. It still leaves and is counted, but its exit is not
 * reported. If a kernel function goes on calling its callbacks, triggers suspect it again.
 *
 * Context: any that does not change the CPU.
 * Return: true if the activation was LEAVING, and is claimed now.
 */
static __always_inline bool fastterm_give_way(struct fastterm_activation *a)
{
	int leaving = FASTTERM_LEAVING;

	return atomic_try_cmpxchg_acquire(&a->state, &leaving, FASTTERM_CLAIMED);
}

/**
 * fastterm_want() - publish what is to be terminated
 * @a: the activation, of any CPU, which the caller has claimed
 *
 * Release: a reader of the state sees what the caller has written to @a before.
 *
 * Context: any.
 */
static __always_inline void fastterm_want(struct fastterm_activation *a)
{
	atomic_set_release(&a->state, FASTTERM_WANTED);
}

/**
 * fastterm_leave() - note that a kick has found the activation and tagged its base frame
 * @a: this CPU's activation, which is WANTED, or LEAVING already
 *
 * Context: hardirq or NMI, with interrupts off; a kick.
 */
static __always_inline void fastterm_leave(struct fastterm_activation *a)
{
	atomic_set(&a->state, FASTTERM_LEAVING);
}

/**
 * fastterm_lose() - stop looking for the program
 * @a: the activation, of this CPU or of one that has gone offline; nothing happens unless
 *     it is WANTED
 *
 * From here on the activation may be claimed again.
 *
 * Context: any.
 */
static __always_inline void fastterm_lose(struct fastterm_activation *a)
{
	int wanted = FASTTERM_WANTED;

	atomic_try_cmpxchg(&a->state, &wanted, FASTTERM_LOST);
}

/**
 * fastterm_begin_exit() - claim an activation that has returned, to write its outcome
 * @a: this CPU's activation
 * @state: WANTED or LEAVING, as the caller has read it
 *
 * The state is CLAIMED until the outcome has been written. It may be WANTED before, since a
 * program may leave before a kick finds it.
 *
 * Context: any that does not change the CPU.
 * Return: true if the state was still @state. Then the caller has to call
 * fastterm_finish_exit() or fastterm_cancel_exit().
 */
static __always_inline bool fastterm_begin_exit(struct fastterm_activation *a, int state)
{
	return atomic_try_cmpxchg(&a->state, &state, FASTTERM_CLAIMED);
}

/**
 * fastterm_cancel_exit() - restore the state, since another activation has returned
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
 * fastterm_finish_exit() - publish the outcome of an activation that has left
 * @a: this CPU's activation
 *
 * Release: a reader of the state sees the outcome. From here on the activation may be
 * claimed again.
 *
 * Context: any that does not change the CPU.
 */
static __always_inline void fastterm_finish_exit(struct fastterm_activation *a)
{
	atomic_set_release(&a->state, FASTTERM_GONE);
}

/**
 * fastterm_lap() - measure one of the outcome's times, and begin the next one
 * @a: the activation
 *
 * If another CPU has made the request, its clock may be ahead of this CPU's clock: then the
 * time is 0. The clock is read by a function that cannot be traced or probed: a program
 * that is attached to it would run while no program can be terminated on this CPU.
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
