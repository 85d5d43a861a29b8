/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Triggers: who decides that an activation has to end.
 *
 * The mechanism, which ends it, does not know them: this is all that is between the two. A
 * trigger looks at what runs on a CPU out of an interrupt there, its own one or one that it
 * has asked for by fastterm_sample():
 *
 *	static void sampled(struct pt_regs *regs)
 *	{
 *		struct fastterm_tag *tag = fastterm_suspect(regs);
 *
 *		if (!IS_ERR(tag) && is_over_budget(tag))
 *			fastterm_terminate_tag(tag, regs);
 *	}
 *
 * If two ask for a sample of a CPU at the same time, it is the last one's; the other one has to
 * ask again. As long as a trigger finds the same tag it has found the same activation. When one
 * that has been terminated has left, the triggers are told by fastterm_trigger_exited(), to
 * which a further trigger is added.
 */
#ifndef _BPF_FASTTERM_TRIGGER_H
#define _BPF_FASTTERM_TRIGGER_H

#include <linux/types.h>

struct fastterm_outcome;
struct fastterm_tag;
struct pt_regs;

/**
 * typedef fastterm_sampled_fn - is told what fastterm_sample() has interrupted
 * @regs: the interrupted registers
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 */
typedef void (*fastterm_sampled_fn)(struct pt_regs *regs);

void fastterm_sample(int cpu, fastterm_sampled_fn sampled, bool insist);
struct fastterm_tag *fastterm_suspect(struct pt_regs *regs);
int fastterm_terminate_tag(struct fastterm_tag *tag, struct pt_regs *regs);
void fastterm_cut_loops(int cpu, bool cut);
void fastterm_irqs_reach_again(void);

#ifdef CONFIG_BPF_FASTTERM_WATCHDOG
void fastterm_watchdog_exited(const struct fastterm_outcome *outcome);
#else
static inline void fastterm_watchdog_exited(const struct fastterm_outcome *outcome) { }
#endif

/**
 * fastterm_trigger_exited() - tell all triggers that an activation has left
 * @outcome: what became of it
 *
 * Nobody registers for it: the triggers that the kernel is built with are known, and called
 * directly.
 *
 * Context: any in which a program may run, on the CPU where it ran.
 */
static inline void fastterm_trigger_exited(const struct fastterm_outcome *outcome)
{
	fastterm_watchdog_exited(outcome);
}

#endif /* _BPF_FASTTERM_TRIGGER_H */
