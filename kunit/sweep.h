/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that are stopped, and terminated, at one instruction after the other
 *
 * What they are and what has to come of it is in boundary.c. They are stopped by
 * breakpoints where the kernel has these for its own code, sweep-break.c; otherwise
 * by a timer, on a machine whose clock counts instructions, sweep-timer.c.
 */
#ifndef _BPF_FASTTERM_KUNIT_SWEEP_H
#define _BPF_FASTTERM_KUNIT_SWEEP_H

#include <linux/types.h>

struct bpf_prog;
struct fastterm_prog;
struct kunit;
struct kunit_case;

/**
 * struct ftk_sweep - a program that is stopped everywhere
 * @prog: the program
 * @known: what is known of it
 * @cpu: where it runs
 * @ordinary: what it returns if nobody stops it
 * @broken: how often it did not leave registers or stack as they were
 * @hit: for each function, the offsets from its entry at which it was terminated
 * @struck: how often that was at safepoints
 * @first: how many of those times it was gone after the first kick
 * @err: what the last request said
 */
struct ftk_sweep {
	struct bpf_prog *prog;
	const struct fastterm_prog *known;
	u32 cpu;
	u64 ordinary;
	u64 broken;
	unsigned long *hit[8];
	u32 struck;
	u32 first;
	int err;
};

extern struct kunit_case ftk_boundary_cases[];

bool ftk_sweep_at(const struct ftk_sweep *s, unsigned long ip, u32 *func, u32 *off);
u64 ftk_sweep_run(struct kunit *test, struct ftk_sweep *s);
void ftk_sweep_judge(struct kunit *test, struct ftk_sweep *s, u32 func, u32 off, bool moved);
u32 ftk_sweep_hits(const struct ftk_sweep *s);
u32 ftk_sweep_len(struct kunit *test, const struct ftk_sweep *s, u32 func, u32 off);

/* Stop and terminate it at every boundary that is executed; by the one or the other. */
void ftk_sweep_all(struct kunit *test, struct ftk_sweep *s);

#endif /* _BPF_FASTTERM_KUNIT_SWEEP_H */
