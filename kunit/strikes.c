// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strikes: a program that runs away again and again is quarantined, for longer each time
 */

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#include <kunit/test.h>

#include "../program.h"
#include "../quarantine.h"
#include "../trace.h"
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

/**
 * struct change - a program has been quarantined or released
 * @on: it has been quarantined
 * @ms: for how long, or how long it was
 * @strikes: its strikes until then
 * @at: when that was, in ms
 * @runs: how often the runner has run it until then
 */
struct change {
	bool on;
	u64 ms;
	u32 strikes;
	u64 at;
	u64 runs;
};

#define NR_CHANGES	4

/* Written by the worker, so that nothing is missed if a test case's thread runs late. */
static struct change changes[NR_CHANGES];
static atomic_t nr_changes;
static const struct ftk_runner *runner;

static void see(void *unused, u32 id, bool on, u64 ms, u32 strikes)
{
	const int nr = atomic_read(&nr_changes);

	if (id != runner->prog->aux->id || nr == NR_CHANGES)
		return;
	changes[nr] = (struct change){
		.on = on, .ms = ms, .strikes = strikes,
		.at = div_u64(ktime_get_mono_fast_ns(), NSEC_PER_MSEC),
		.runs = READ_ONCE(runner->runs),
	};
	atomic_set_release(&nr_changes, nr + 1);
}

static void see_no_more(void *unused)
{
	unregister_trace_bpf_fastterm_quarantine(see, NULL);
	tracepoint_synchronize_unregister();
}

static void expect_lasted(struct kunit *test, const struct change *end, u32 s)
{
	KUNIT_EXPECT_GE(test, end->ms, s * MSEC_PER_SEC);
	KUNIT_EXPECT_LE(test, end->ms, s * MSEC_PER_SEC + LATE_MS);
}

static void strikes_back_off(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body) };
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_XDP };
	struct ftk_runner *r = ftk_runner(test, &shape, &opts);
	const unsigned long end = jiffies + 4 * FTK_PATIENCE;
	const struct change *c = changes;
	u32 i;

	runner = r;
	atomic_set(&nr_changes, 0);
	KUNIT_ASSERT_EQ(test, 0, register_trace_bpf_fastterm_quarantine(see, NULL));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, see_no_more, NULL));
	ftk_watch(BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, r, 1);
	while (atomic_read_acquire(&nr_changes) < NR_CHANGES) {
		KUNIT_ASSERT_TRUE(test, time_before(jiffies, end));
		schedule_timeout_uninterruptible(1);
	}
	WRITE_ONCE(r->stop, true);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
	for (i = 0; i < NR_CHANGES; i++)
		KUNIT_EXPECT_EQ(test, c[i].on, i % 2 == 0);
	/* The worker may take a while, and each run until then is a strike. */
	KUNIT_EXPECT_GE(test, c[0].strikes, 3);
	KUNIT_EXPECT_LE(test, c[0].strikes, 6);
	KUNIT_EXPECT_EQ(test, c[0].ms, 1 * MSEC_PER_SEC);
	expect_lasted(test, &c[1], 1);
	/* In a second of quarantine it has been run more often than in a second of running away. */
	KUNIT_EXPECT_GT(test, c[1].runs - c[0].runs, MSEC_PER_SEC / BUDGET_MS);
	/* One more strike, and it is quarantined for twice as long. */
	KUNIT_EXPECT_GE(test, c[2].at - c[1].at + 1, BUDGET_MS);
	KUNIT_EXPECT_LE(test, c[2].at - c[1].at, LATE_MS);
	KUNIT_EXPECT_EQ(test, c[2].ms, 2 * MSEC_PER_SEC);
	expect_lasted(test, &c[3], 2);
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
