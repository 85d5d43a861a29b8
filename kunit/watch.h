/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions that the suites of the watchdog share
 *
 *	ftk_watch(FTK_BUDGET_MS, 2);
 *	...
 *	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 1);
 */
#ifndef _BPF_FASTTERM_KUNIT_WATCH_H
#define _BPF_FASTTERM_KUNIT_WATCH_H

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/filter.h>

#include "../program.h"

struct ftk_runner;
struct kunit;

/* A short budget, in ms. */
#define FTK_BUDGET_MS	50

/* Number of instructions that ftk_short() writes. */
#define FTK_SHORT_LEN	11

/**
 * struct ftk_blamed - terminations that the watchdog has requested since the case began
 * @nr: number of requests
 * @least_ns: the shortest time for which one of the programs was seen running
 * @most_ns: the longest such time
 */
struct ftk_blamed {
	atomic_t nr;
	atomic64_t least_ns;
	atomic64_t most_ns;
};

extern struct ftk_blamed ftk_blamed;

static inline int ftk_terminations(const struct bpf_prog *prog)
{
	return atomic_read(&fastterm_of(prog)->terminations);
}

void ftk_watch(unsigned int budget_ms, unsigned int period_ms);
int ftk_watch_init(struct kunit *test);
void ftk_watch_exit(struct kunit *test);
bool ftk_has_nmis(struct kunit *test);
bool ftk_runner_left(const struct ftk_runner *r);
void ftk_short(struct bpf_insn insns[FTK_SHORT_LEN], u32 result);
struct bpf_prog *ftk_load_short(struct kunit *test, enum bpf_prog_type type);

#endif /* _BPF_FASTTERM_KUNIT_WATCH_H */
