// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strikes: a program that runs away again and again is quarantined, for longer each time
 */

#include <linux/bpf.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/time64.h>

#include <kunit/test.h>

#include "../program.h"
#include "../quarantine.h"
#include "prog.h"
#include "runaway.h"
#include "watch.h"

#define BUDGET_MS	20
#define PERIOD_MS	5

/* How much later than it should a quarantine may end on an emulated machine, in ms. */
#define LATE_MS		1000

static int strikes_init(struct kunit *test)
{
	int err;

	if (!ftk_patching)
		kunit_skip(test, "what runs here cannot be patched (fastterm_patching)");
	err = ftk_watch_init(test);
	if (!err)
		fastterm_quarantine_max_s = 60;
	return err;
}

static void strikes_exit(struct kunit *test)
{
	if (!ftk_patching)
		return;
	fastterm_quarantine_max_s = 0;
	fastterm_strikes = 3;
	ftk_watch_exit(test);
}

/* Wait until a program is quarantined, or is not. */
static void wait_until(struct kunit *test, const struct bpf_prog *prog, bool confined)
{
	const atomic_t *state = &fastterm_of(prog)->quarantine.state;
	const unsigned long end = jiffies + 2 * FTK_PATIENCE;

	while ((atomic_read(state) == FASTTERM_CONFINED) != confined) {
		KUNIT_ASSERT_TRUE(test, time_before(jiffies, end));
		schedule_timeout_uninterruptible(1);
	}
}

/* How long the last quarantine was, as it has been noted: this thread may notice the end later. */
static void expect_lasted(struct kunit *test, const struct fastterm_quarantine *q, u32 s)
{
	KUNIT_EXPECT_GE(test, q->lasted, s * MSEC_PER_SEC);
	KUNIT_EXPECT_LE(test, q->lasted, s * MSEC_PER_SEC + LATE_MS);
}

static void strikes_back_off(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body) };
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_XDP };
	struct ftk_runner *r = ftk_runner(test, &shape, &opts);
	const struct fastterm_quarantine *q = &fastterm_of(r->prog)->quarantine;
	u64 runs;

	ftk_watch(BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, r, 1);
	wait_until(test, r->prog, true);
	/* The worker may take a while, and each run until then is a strike. */
	KUNIT_EXPECT_GE(test, atomic_read(&q->nr), 3);
	KUNIT_EXPECT_LE(test, atomic_read(&q->nr), 6);
	runs = READ_ONCE(r->runs);
	wait_until(test, r->prog, false);
	expect_lasted(test, q, 1);
	/* In a second of quarantine it has been run more often than in a second of running away. */
	KUNIT_EXPECT_GT(test, READ_ONCE(r->runs) - runs, MSEC_PER_SEC / BUDGET_MS);
	/* One more strike, and it is quarantined for twice as long. */
	wait_until(test, r->prog, true);
	KUNIT_EXPECT_GE(test, (u32)div_u64(q->since, NSEC_PER_MSEC) - q->released, BUDGET_MS);
	KUNIT_EXPECT_LE(test, (u32)div_u64(q->since, NSEC_PER_MSEC) - q->released, LATE_MS);
	KUNIT_EXPECT_EQ(test, q->times, 2);
	wait_until(test, r->prog, false);
	expect_lasted(test, q, 2);
	WRITE_ONCE(r->stop, true);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
}

/* Strikes that are further apart than the window, or that are forgotten, do not count. */
static void strikes_forgotten(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body) };
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_XDP };
	struct ftk_runner *r = ftk_runner(test, &shape, &opts);
	struct fastterm_quarantine *q = &fastterm_of(r->prog)->quarantine;
	u32 i;

	fastterm_quarantine_max_s = 1;
	r->once = true;
	ftk_watch(BUDGET_MS, PERIOD_MS);
	for (i = 1; i <= 6; i++) {
		ftk_runner_start(test, r, 1);
		KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
		ftk_runner_end(test, r);
		KUNIT_EXPECT_EQ(test, atomic_read(&q->nr), i);
		if (i == 3) {
			wait_until(test, r->prog, true);
			wait_until(test, r->prog, false);
			/* As long again, and a bit. */
			schedule_timeout_uninterruptible(HZ + HZ / 2);
		}
		KUNIT_EXPECT_EQ(test, atomic_read(&q->state) != FASTTERM_ADMITTED, i == 6);
	}
	wait_until(test, r->prog, true);
	wait_until(test, r->prog, false);
}

static struct kunit_case strikes_cases[] = {
	KUNIT_CASE_SLOW(strikes_back_off),
	KUNIT_CASE_SLOW(strikes_forgotten),
	{}
};

static struct kunit_suite strikes_suite = {
	.name = "fastterm_quarantine_strikes",
	.init = strikes_init,
	.exit = strikes_exit,
	.test_cases = strikes_cases,
};

kunit_test_suite(strikes_suite);
