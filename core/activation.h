/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The activation that is terminated on a CPU, the states that this goes through, and the tags
 * by which an activation is known again.
 */
#ifndef _BPF_FASTTERM_ACTIVATION_H
#define _BPF_FASTTERM_ACTIVATION_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/fastterm.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/types.h>

struct fastterm_finds;
struct fastterm_prog;
struct fastterm_slot;
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
struct fastterm_tag *fastterm_tag_slot(const struct fastterm_slot *slot,
				       const struct fastterm_prog *fprog);

/**
 * enum fastterm_state - of the termination on a CPU
 * @FASTTERM_IDLE: there was none yet
 * @FASTTERM_CLAIMED: somebody is about to request one
 * @FASTTERM_WANTED: the program has not been found yet
 * @FASTTERM_LEAVING: it has, and its base frame is tagged
 * @FASTTERM_GONE: it has left
 * @FASTTERM_LOST: it was not found, and is no longer looked for
 *
 *	IDLE --> CLAIMED --> WANTED --> LEAVING --> GONE
 *	            ^          | |                   | ^
 *	            |          | `-------------------|-'
 *	            |          `------> LOST         |
 *	            `---------------------+----------'
 *
 * Requesters, on any CPU, compete for CLAIMED; the rest is done on the CPU itself. What is
 * LEAVING and cannot go on, being interrupted, preempted or asleep, gives way to another
 * activation on its CPU. It leaves all the same, and is counted, but nobody is told; should
 * a function of the kernel go on calling it, it is suspected anew.
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
 * struct fastterm_activation - the activation that is terminated on a CPU
 * @state: enum fastterm_state
 * @fprog: what is known of the program; not to be followed once it has left
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
static inline u64 fastterm_lap(struct fastterm_activation *a)
{
	u64 now = sched_clock_noinstr(), since = a->since;

	a->since = now;
	return now > since ? now - since : 0;
}

void fastterm_redirect_init(struct fastterm_activation *activation, int cpu);
int fastterm_redirect(struct fastterm_activation *activation, struct pt_regs *regs);

#endif /* _BPF_FASTTERM_ACTIVATION_H */
