/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The activations that are being terminated on a CPU, the tags by which they are recognised,
 * and the states of a request for a termination.
 */
#ifndef _BPF_FASTTERM_ACTIVATION_H
#define _BPF_FASTTERM_ACTIVATION_H

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fastterm.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched/clock.h>
#include <linux/types.h>

#include "compat.h"
#include "events.h"

struct fastterm_finds;
struct fastterm_prog;
struct fastterm_tag;
struct fastterm_where;
struct pt_regs;
struct task_struct;

/**
 * struct fastterm_nested - the program that most of an activation's time has gone to
 * @id: its id; 0 if nothing that is nested in the activation has been seen running
 * @name: its name, since the program may be freed before it is reported
 * @ns: by how much its share exceeds that of all other nested programs
 */
struct fastterm_nested {
	u32 id;
	char name[BPF_OBJ_NAME_LEN];
	u64 ns;
};

/**
 * struct fastterm_time - how long an activation has been seen running
 * @seen: there has been a sample of it; the time before the first one is not known
 * @own_ns: without what is nested in it
 * @mostly: which program most of @own_ns was spent in, since tail calls lead from one to another.
 *	    None of them is freed while the activation runs
 * @mostly_ns: by how much its share exceeds that of all others
 * @all_ns: with what is nested in it, minus what has been taken off
 * @waited_ns: time in which it waited for another CPU, and which is not part of @all_ns
 * @spared: how often time has been taken off @all_ns, because the nested activation that it
 *	    was spent in has been terminated
 * @because_of: the last of those: while it has not left yet, time does not count
 * @nested: whose time most of @all_ns was that is not part of @own_ns
 * @asked_ns: @all_ns when it was terminated
 * @named: the kernel log names it as one that does not leave
 */
struct fastterm_time {
	bool seen;
	u64 own_ns;
	const struct fastterm_prog *mostly;
	u64 mostly_ns;
	u64 all_ns;
	u64 waited_ns;
	u32 spared;
	const struct fastterm_tag *because_of;
	struct fastterm_nested nested;
	u64 asked_ns;
	bool named;
};

/**
 * struct fastterm_tag - an activation whose base frame returns to fastterm_arch_exit()
 * @fprog: its program
 * @id: the id of its program
 * @task: the task in which it runs
 * @sp: stack pointer behind the return of its base frame
 * @back: the original return address of its base frame
 * @outer: the next activation on the same stack that is tagged, as the last sample has found
 *	   it; NULL if there is none
 * @sleeps: it may sleep
 * @main: its base frame is that of the main function, whose value the kernel gets; otherwise it is
 *	  that of a callback
 * @time: how long triggers have seen it running
 * @leaving: it is being terminated
 * @cut: a frame of its own program has been moved, or a loop over a callback has been ended for it:
 *	 it does not decide as it would have
 * @complete: all of its frames have been moved
 * @masked: each kick has found it with interrupts off
 * @level: the context in which it runs, as interrupt_context_level() numbers them
 * @since: when the last of the outcome's times began, by sched_clock(), in ns
 * @outcome: what will be reported about its termination
 *
 * A tag belongs to the CPU on which its activation runs, and only that CPU writes it. Each
 * activation is terminated by itself: one that is being terminated, and is interrupted,
 * preempted or asleep, does not keep another one on its CPU from being terminated. A tag is
 * aligned so that its index in the CPU's table is computed by a shift.
 */
struct fastterm_tag {
	const struct fastterm_prog *fprog;
	u32 id;
	const struct task_struct *task;
	unsigned long sp;
	unsigned long back;
	struct fastterm_tag *outer;
	bool sleeps;
	bool main;
	struct fastterm_time time;
	bool leaving;
	bool cut;
	bool complete;
	bool masked;
	u8 level;
	u64 since;
	struct fastterm_outcome outcome;
} ____cacheline_aligned;

/* Number of activations on this CPU that are to leave. An NMI may change it at any time. */
DECLARE_PER_CPU(u32, fastterm_nr_leaving);

struct fastterm_tag *fastterm_tag_at(unsigned long sp);
bool fastterm_has_tag(const struct fastterm_prog *fprog, int cpu);
void fastterm_tag_free(struct fastterm_tag *tag);
void fastterm_tag_leaves(struct fastterm_tag *tag);
struct fastterm_tag *fastterm_tag_return(const struct fastterm_where *where,
					 const struct fastterm_prog *fprog, u8 level,
					 bool sleeps, bool main);
struct fastterm_tag *fastterm_tag_around(unsigned long sp, u8 level);
struct fastterm_tag *fastterm_tag_leaving(bool incomplete);

/**
 * struct fastterm_cpu - the terminations on a CPU
 * @state: enum fastterm_state, of the last request
 * @fprog: its program; not to be dereferenced after it has left
 * @ended: fastterm_ended_progs at the time of the request
 * @tag: the activation that was found
 * @outcome: the outcome of the last termination; while none has been found, what will
 *	     become of it
 * @since: when the last of the outcome's times began, by sched_clock(), in ns
 * @requests: number of requests since boot
 * @misses: number of kicks that have not found the program of the last request
 * @taken: the CPU has taken an ordinary kick since the last request
 * @unfinished: number of kicks in a row that have left something to do
 * @busy: an interrupt of ours is being handled; an NMI may interrupt it
 * @flag: this CPU's fastterm_leaving
 * @finds: this CPU's buffer for what a kick finds
 * @timer: the next kick, if the last one has left something to do
 * @soon: arms @timer on behalf of an NMI
 */
struct fastterm_cpu {
	atomic_t state;
	const struct fastterm_prog *fprog;
	int ended;
	struct fastterm_tag *tag;
	struct fastterm_outcome outcome;
	u64 since;
	u32 requests;
	u32 misses;
	bool taken;
	u32 unfinished;
	bool busy;
	bool *flag;
	struct fastterm_finds *finds;
	struct hrtimer timer;
	struct irq_work soon;
};

DECLARE_PER_CPU(struct fastterm_cpu, fastterm_cpu);

void fastterm_update_flag(struct fastterm_cpu *c);

/**
 * fastterm_interrupt_begins() - begin an interrupt of ours
 * @c: this CPU's terminations
 *
 * No other interrupt could terminate a program that is entered from here on, so none is: the
 * kernel refuses tracing programs until fastterm_interrupt_ends(), as it refuses recursive
 * ones. Whatever is called in between may be traced and probed. The two functions themselves
 * are inline, so that they cannot be.
 *
 * Context: hardirq or NMI, with interrupts off.
 * Return: false if this is an NMI that has interrupted another interrupt of ours: then there
 * is nothing to do.
 */
static __always_inline bool fastterm_interrupt_begins(struct fastterm_cpu *c)
{
	if (c->busy)
		return false;
	c->busy = true;
	WRITE_ONCE(*c->flag, true);
	barrier();
	return true;
}

/**
 * fastterm_not_busy() - allow tracing programs again after fastterm_interrupt_begins()
 * @c: this CPU's terminations
 *
 * Unlike fastterm_interrupt_ends(), this wakes no task. It may be called with any lock held.
 *
 * Context: the same as of fastterm_interrupt_begins(), or with interrupts off.
 */
static __always_inline void fastterm_not_busy(struct fastterm_cpu *c)
{
	barrier();
	c->busy = false;
	if (!this_cpu_read(fastterm_nr_leaving))
		fastterm_update_flag(c);
}

/**
 * fastterm_interrupt_ends() - end an interrupt of ours
 * @c: this CPU's terminations
 *
 * Context: the same as of fastterm_interrupt_begins().
 */
static __always_inline void fastterm_interrupt_ends(struct fastterm_cpu *c)
{
	if (fastterm_events_any()) {
		if (in_nmi())
			irq_work_queue(&c->soon);
		else
			fastterm_events_later();
	}
	fastterm_not_busy(c);
}

/**
 * enum fastterm_state - the state of the last request for a termination on a CPU
 * @FASTTERM_IDLE: there has been no termination yet
 * @FASTTERM_CLAIMED: a requester is writing the request, or the CPU the outcome
 * @FASTTERM_WANTED: a program is to be terminated; no kick has found it yet
 * @FASTTERM_LEAVING: its activation has been found, or a trigger has asked for this one
 * @FASTTERM_GONE: the activation has left
 * @FASTTERM_LOST: the program was not found, and kicks no longer look for it
 *
 *	IDLE --> CLAIMED --> WANTED --> LEAVING --> CLAIMED --> GONE
 *	            ^ |        |           ^                      |
 *	            | `--------|-----------'                      |
 *	            |          `------> LOST                      |
 *	            `--------------------+------------------------'
 *
 * Only the functions below change the state:
 *
 *	IDLE, GONE, LOST --> CLAIMED	fastterm_claim()
 *	CLAIMED --> WANTED		fastterm_want()
 *	WANTED, CLAIMED --> LEAVING	fastterm_leave()
 *	WANTED --> LOST			fastterm_lose()
 *	LEAVING --> CLAIMED --> GONE	fastterm_begin_exit(), fastterm_finish_exit()
 *
 * Requesters on any CPU compete for CLAIMED. All other transitions are made on the CPU
 * itself, unless it has gone offline. While the state is CLAIMED, interrupts are off: no
 * program can run that would keep it from changing. A trigger does not depend on the
 * state: where another termination is under way, its own is not reported. The functions
 * are inline because a kick calls them: this way they cannot be traced or probed, and cost
 * no call.
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
 * fastterm_claim() - claim a CPU's state for the next request
 * @c: the terminations of any CPU
 * @id: the id of the program that is to be terminated
 *
 * Only one of several concurrent requesters succeeds, and none while a termination is under
 * way that is to be reported. After that, no other code writes the request until the
 * requester calls fastterm_want() or fastterm_leave().
 *
 * Context: any, with interrupts off.
 * Return: 0; -EALREADY if the program is being terminated on that CPU; -EBUSY if another
 * program is, or if another requester has claimed the state.
 */
static __always_inline int fastterm_claim(struct fastterm_cpu *c, u32 id)
{
	int state = atomic_read(&c->state);

	do {
		if (state == FASTTERM_CLAIMED)
			return -EBUSY;
		if (state == FASTTERM_WANTED || state == FASTTERM_LEAVING)
			return READ_ONCE(c->outcome.id) == id ? -EALREADY : -EBUSY;
	} while (!atomic_try_cmpxchg_acquire(&c->state, &state, FASTTERM_CLAIMED));
	return 0;
}

/**
 * fastterm_want() - publish what is to be terminated
 * @c: the terminations of any CPU, whose state the caller has claimed
 *
 * Release: a reader of the state sees what the caller has written to @c before.
 *
 * Context: any, with interrupts off.
 */
static __always_inline void fastterm_want(struct fastterm_cpu *c)
{
	atomic_set_release(&c->state, FASTTERM_WANTED);
}

/**
 * fastterm_leave() - note which activation is to leave
 * @c: this CPU's terminations, whose state is WANTED or claimed by the caller
 * @tag: the activation
 *
 * Context: hardirq or NMI, with interrupts off.
 */
static __always_inline void fastterm_leave(struct fastterm_cpu *c, struct fastterm_tag *tag)
{
	c->tag = tag;
	atomic_set_release(&c->state, FASTTERM_LEAVING);
}

/**
 * fastterm_lose() - stop looking for the program
 * @c: the terminations of this CPU or of one that has gone offline; nothing happens unless
 *     the state is WANTED
 *
 * From here on the state may be claimed again.
 *
 * Context: any.
 */
static __always_inline void fastterm_lose(struct fastterm_cpu *c)
{
	int wanted = FASTTERM_WANTED;

	atomic_try_cmpxchg(&c->state, &wanted, FASTTERM_LOST);
}

/**
 * fastterm_begin_exit() - claim the state, to write the outcome of an activation
 * @c: this CPU's terminations
 * @tag: the activation, which has left
 *
 * Context: any, with interrupts off.
 * Return: true if it is the activation of the last request. Then the caller has to call
 * fastterm_finish_exit().
 */
static __always_inline bool fastterm_begin_exit(struct fastterm_cpu *c,
						const struct fastterm_tag *tag)
{
	if (atomic_read(&c->state) != FASTTERM_LEAVING || c->tag != tag)
		return false;
	atomic_set(&c->state, FASTTERM_CLAIMED);
	return true;
}

/**
 * fastterm_finish_exit() - publish the outcome of an activation that has left
 * @c: this CPU's terminations
 *
 * Release: a reader of the state sees the outcome. From here on the state may be claimed
 * again.
 *
 * Context: any, with interrupts off.
 */
static __always_inline void fastterm_finish_exit(struct fastterm_cpu *c)
{
	atomic_set_release(&c->state, FASTTERM_GONE);
}

/**
 * fastterm_lap() - measure one of an outcome's times, and begin the next one
 * @since: when this one began; receives the present time
 *
 * If another CPU has made the request, its clock may be ahead of this CPU's clock: then the
 * time is 0. The clock is read by a function that cannot be traced or probed.
 *
 * Context: any that does not change the CPU.
 * Return: the time since then, in ns.
 */
static __always_inline u64 fastterm_lap(u64 *since)
{
	u64 now = sched_clock_noinstr(), then = *since;

	*since = now;
	return now > then ? now - then : 0;
}

/* The value of interrupt_context_level() if preempt_count() were @count. */
static __always_inline u8 fastterm_level_of(unsigned long count)
{
	return !!(count & NMI_MASK) + !!(count & (NMI_MASK | HARDIRQ_MASK)) +
	       !!(count & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET));
}

/**
 * fastterm_level() - get the level of the interrupted context
 * @regs: the interrupted registers
 *
 * Only an NMI interrupts a hardirq; what the NMI itself has added to the count is taken off.
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: the level, as interrupt_context_level() numbers them.
 */
static __always_inline u8 fastterm_level(struct pt_regs *regs)
{
	const unsigned long count = preempt_count();

	if (fastterm_irqs_were_on(regs))
		return !!(count & SOFTIRQ_OFFSET);
	return fastterm_level_of(count - NMI_OFFSET - HARDIRQ_OFFSET);
}

void fastterm_redirect_init(struct fastterm_cpu *c, int cpu);
int fastterm_redirect(struct fastterm_cpu *c, struct pt_regs *regs, u8 level,
		      struct fastterm_tag **found);

#endif /* _BPF_FASTTERM_ACTIVATION_H */
