/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Triggers decide that an activation has to end.
 *
 * The mechanism that terminates the activation does not depend on any trigger: this is the
 * whole interface between the two. A trigger finds out what runs on a CPU in an interrupt
 * there, which is its own or one that it has requested by fastterm_sample():
 *
 *	static void sampled(struct pt_regs *regs)
 *	{
 *		struct fastterm_doing doing;
 *		struct fastterm_tag *tag;
 *
 *		for (tag = fastterm_suspect(regs, &doing); !IS_ERR_OR_NULL(tag); tag = tag->outer)
 *			if (is_over_budget(tag)) {
 *				fastterm_terminate_tag(tag, regs);
 *				break;
 *			}
 *	}
 *
 * If two triggers request a sample of a CPU at the same time, only the last one gets it,
 * and the other one has to request another. As long as a trigger finds the same tag, it has
 * found the same activation. fastterm_trigger_exited() calls the triggers when an
 * activation that was terminated has left; a new trigger is added there.
 */
#ifndef _BPF_FASTTERM_TRIGGER_H
#define _BPF_FASTTERM_TRIGGER_H

#include <linux/types.h>

struct bpf_prog;
struct fastterm_outcome;
struct fastterm_tag;
struct pt_regs;

/**
 * typedef fastterm_sampled_fn - called in the interrupt that fastterm_sample() has requested
 * @regs: the interrupted registers
 *
 * Context: an interrupt of ours (see fastterm_interrupt_begins()), which is a hardirq or an
 * NMI, with interrupts off; in the one that interrupted @regs.
 */
typedef void (*fastterm_sampled_fn)(struct pt_regs *regs);

/**
 * enum fastterm_whose - whose time a sample has found
 * @FASTTERM_OWN: that of the innermost activation
 * @FASTTERM_NESTED: that of an activation that could not be tagged; it is nested in those that
 *		     are
 * @FASTTERM_WAITING: the innermost activation waits for what another CPU does
 */
enum fastterm_whose {
	FASTTERM_OWN,
	FASTTERM_NESTED,
	FASTTERM_WAITING,
};

/**
 * struct fastterm_doing - what a sample has found the innermost activation doing
 * @whose: whose time this is
 * @kernel: where a function of the kernel was interrupted that it has called; 0 if the
 *	    program itself was interrupted
 * @callee: where the function continues that it has called, directly or through a trampoline
 * @prog: where its program, or the innermost one whose function is on the stack, continues
 * @func: that function
 */
struct fastterm_doing {
	enum fastterm_whose whose;
	unsigned long kernel;
	unsigned long callee;
	unsigned long prog;
	const struct bpf_prog *func;
};

void fastterm_trigger_nmi(struct pt_regs *regs, bool timer);
void fastterm_sample(int cpu, fastterm_sampled_fn sampled, bool insist);
struct fastterm_tag *fastterm_suspect(struct pt_regs *regs, struct fastterm_doing *doing);
int fastterm_terminate_tag(struct fastterm_tag *tag, struct pt_regs *regs);
void fastterm_cut_loops(int cpu, bool cut);
void fastterm_irqs_reach_again(void);

#ifdef CONFIG_BPF_FASTTERM_WATCHDOG
void fastterm_blame_exited(const struct fastterm_outcome *outcome);
void fastterm_watchdog_ticked(struct pt_regs *regs);
void fastterm_watchdog_looks(struct pt_regs *regs, bool timer);
#else
static inline void fastterm_watchdog_ticked(struct pt_regs *regs) { }
static inline void fastterm_blame_exited(const struct fastterm_outcome *outcome) { }
#endif

/**
 * fastterm_trigger_exited() - report to all triggers that an activation has left
 * @outcome: its outcome
 *
 * There is no registration: the triggers are known at build time, and are called directly.
 *
 * Context: any in which a program may run, on the CPU where it ran.
 */
static inline void fastterm_trigger_exited(const struct fastterm_outcome *outcome)
{
	fastterm_blame_exited(outcome);
}

/**
 * fastterm_trigger_ticked() - let all triggers take a sample in a tick
 * @regs: the interrupted registers
 *
 * Context: an interrupt of ours, which is a hardirq; in the one that interrupted @regs.
 */
static inline void fastterm_trigger_ticked(struct pt_regs *regs)
{
	fastterm_watchdog_ticked(regs);
}

#endif /* _BPF_FASTTERM_TRIGGER_H */
