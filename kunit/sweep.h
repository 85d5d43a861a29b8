/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that are stopped, and terminated, at one instruction after the other
 *
 * What they are and what has to come of it is in boundary.c. They are stopped by
 * breakpoints where the kernel has these for its own code, sweep-break.c; otherwise
 * by a timer, on a machine whose clock counts instructions, sweep-timer.c. The same
 * stop stub images where across.c wants to look at them.
 */
#ifndef _BPF_FASTTERM_KUNIT_SWEEP_H
#define _BPF_FASTTERM_KUNIT_SWEEP_H

#include <linux/types.h>

#include "regs.h"

struct bpf_prog;
struct fastterm_prog;
struct kunit;
struct kunit_case;
struct pt_regs;

/**
 * struct ftk_sweep - a program that is stopped everywhere
 * @prog: the program
 * @fprog: what is known of it
 * @cpu: where it runs
 * @ordinary: what it returns if nobody stops it
 * @broken: how often it did not leave registers or stack as they were
 * @hit: for each function, the offsets from its entry at which it was terminated
 * @struck: how often that was at safepoints
 * @first: how many of those times it was gone after the first kick
 * @err: what the last request said
 * @redirect_ns: where time is counted, how long the last redirect took, in ns; 0 elsewhere
 * @suffix: for each function, by offset from its entry, the least time in ns from the end of
 *	    the redirect to when the program had left; 0 if that is not known
 * @was: what the program had in its registers and its frame before the last redirect
 * @changed: what of that the redirect has changed, or NULL
 */
struct ftk_sweep {
	struct bpf_prog *prog;
	const struct fastterm_prog *fprog;
	u32 cpu;
	u64 ordinary;
	u64 broken;
	unsigned long *hit[8];
	u32 struck;
	u32 first;
	int err;
	u32 redirect_ns;
	u32 *suffix[8];
	struct ftk_regs was;
	const char *changed;
};

/* So many addresses at most. */
#define FTK_MAX_STOPS 40

/**
 * struct ftk_stops - where a program is stopped, to be looked at
 * @nr: number of @ips
 * @ips: the addresses
 * @hit: those at which it has been stopped
 * @at: is told of each stop, by the number of the address, in an interrupt
 */
struct ftk_stops {
	u32 nr;
	unsigned long ips[FTK_MAX_STOPS];
	DECLARE_BITMAP(hit, FTK_MAX_STOPS);
	void (*at)(struct ftk_stops *stops, u32 i, struct pt_regs *regs);
};

extern struct kunit_case ftk_boundary_cases[];
extern struct kunit_case ftk_across_cases[];

bool ftk_sweep_at(const struct ftk_sweep *s, unsigned long ip, u32 *func, u32 *off);
u64 ftk_sweep_run(struct kunit *test, struct ftk_sweep *s);
void ftk_sweep_judge(struct kunit *test, struct ftk_sweep *s, u32 func, u32 off, bool moved);
void ftk_sweep_before(struct ftk_sweep *s, u32 func, u32 off, struct pt_regs *regs);
void ftk_sweep_after(struct ftk_sweep *s, struct pt_regs *regs);
u32 ftk_sweep_hits(const struct ftk_sweep *s);
u32 ftk_sweep_len(struct kunit *test, const struct ftk_sweep *s, u32 func, u32 off);

/* Stop and terminate it at every boundary that is executed; by the one or the other. */
void ftk_sweep_all(struct kunit *test, struct ftk_sweep *s);

/* Stop it at each of these addresses at least once, as far as they are executed. */
void ftk_sweep_stops(struct kunit *test, struct ftk_sweep *s, struct ftk_stops *stops);

#endif /* _BPF_FASTTERM_KUNIT_SWEEP_H */
