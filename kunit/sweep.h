/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that are stopped, and terminated, at each of their instructions in turn
 *
 * boundary.c has the programs and checks the results. They are stopped by breakpoints where the
 * kernel supports them in its own code (sweep-break.c), and by a timer on machines whose clock
 * counts instructions (sweep-timer.c). Both stop stub images for across.c, too.
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
 * struct ftk_sweep - a program that is stopped at all its instructions
 * @prog: the program
 * @fprog: the kernel's record of the program
 * @cpu: the CPU on which it runs
 * @ordinary: its result when it is not terminated
 * @broken: how often it has changed registers or stack of its caller
 * @hit: for each function, the offsets from its entry at which it has been terminated
 * @struck: number of terminations at safepoints
 * @first: number of those that needed a single kick
 * @err: result of the last request
 * @redirect_ns: how long the last redirect took, in ns; 0 where time is not measured
 * @undisturbed: nothing but the kick has interrupted the last run
 * @suffix: for each function, by offset from its entry, the shortest time in ns from the end of
 *	    the redirect to the exit; 0 if it is not known
 * @was: registers and frame before the last redirect
 * @changed: the first of these that the redirect has changed, or NULL
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
	bool undisturbed;
	u32 *suffix[8];
	struct ftk_regs was;
	const char *changed;
};

/* The most addresses of struct ftk_stops. */
#define FTK_MAX_STOPS 40

/**
 * struct ftk_stops - addresses at which a program is stopped without being terminated
 * @nr: number of @ips
 * @ips: the addresses
 * @hit: the addresses at which it has been stopped
 * @at: called in an interrupt for each stop, with the index of the address
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

/*
 * Stop and terminate the program at each boundary that it executes. sweep-break.c or
 * sweep-timer.c.
 */
void ftk_sweep_all(struct kunit *test, struct ftk_sweep *s);

/* Stop the program at least once at each of these addresses that it executes. */
void ftk_sweep_stops(struct kunit *test, struct ftk_sweep *s, struct ftk_stops *stops);

#endif /* _BPF_FASTTERM_KUNIT_SWEEP_H */
