// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of the watchdog, in instructions; and that it works on a machine with one CPU
 *
 * The cases need a machine with one CPU whose clock counts instructions (boot parameter
 * fastterm_icount) and are skipped elsewhere.
 */

#include <linux/delay.h>
#include <linux/fastterm.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include <kunit/test.h>

#include "../nmi.h"
#include "../watchdog.h"
#include "prog.h"
#include "runaway.h"
#include "watch.h"

/* The shortest period, so that the cost of samples is measurable. */
#define PERIOD_MS	1

/* How long the measured work takes, in ns, without samples. */
#define LENGTH_NS	(40 * NSEC_PER_MSEC)

static const u64 ctx[MAX_BPF_FUNC_ARGS];

static unsigned int period_before;

static int watchcost_init(struct kunit *test)
{
	int err = ftk_icount_init(test);

	if (!err)
		period_before = fastterm_period_ms;
	return err;
}

static void watchcost_exit(struct kunit *test)
{
	if (!period_before)
		return;
	ftk_watch(0, period_before);
	ftk_icount_exit(test);
}

/* There is one CPU only, and this thread neither gives it up nor is preempted. */
static void watchdog_alone(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_get_current_uid_gid) };
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body) };
	const struct bpf_prog *prog = ftk_runner(test, &shape, NULL)->prog;
	u64 broken = 0, begin;

	KUNIT_EXPECT_FALSE(test, preempt_model_preemptible());
	/* If this is the first suite, other threads may still have work left from booting. */
	msleep(500);
	begin = ktime_get_mono_fast_ns();
	ftk_watch(10, PERIOD_MS);
	migrate_disable();
	rcu_read_lock();
	ftk_run_guarded(prog, ctx, &broken);
	rcu_read_unlock();
	migrate_enable();
	begin = ktime_get_mono_fast_ns() - begin;
	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 1);
	KUNIT_EXPECT_EQ(test, broken, 0);
	kunit_info(test, "gone after %llu instructions, with a budget of 10000000, a tick every %lu, and a sample every 1000000\n",
		   begin, (unsigned long)TICK_NSEC);
	KUNIT_EXPECT_GE(test, begin, 10 * NSEC_PER_MSEC);
	/* The first sample comes with the tick, and the others with a timer. */
	KUNIT_EXPECT_LE(test, begin, 10 * NSEC_PER_MSEC + TICK_NSEC + 100 * NSEC_PER_USEC);
}

static void do_nothing(const struct bpf_prog *prog)
{
	u32 i;

	for (i = 0; i < 1000; i++)
		barrier();
}

static void do_bpf(const struct bpf_prog *prog)
{
	migrate_disable();
	rcu_read_lock();
	bpf_prog_run(prog, ctx);
	rcu_read_unlock();
	migrate_enable();
}

static u64 measure(void (*work)(const struct bpf_prog *prog), const struct bpf_prog *prog,
		   u32 times)
{
	u64 begin = ktime_get_mono_fast_ns();

	while (times--)
		work(prog);
	return ktime_get_mono_fast_ns() - begin;
}

/* The instructions of a sample are those that are missing in what it interrupts. */
static void compare(struct kunit *test, const char *what,
		    void (*work)(const struct bpf_prog *prog), const struct bpf_prog *prog,
		    u64 every_ns)
{
	u32 times, per_sample;
	u64 without, with;

	ftk_watch(0, PERIOD_MS);
	times = div64_u64(LENGTH_NS * 100ull, measure(work, prog, 100));
	/* This run lets pending work of other threads be done. */
	measure(work, prog, times);
	without = measure(work, prog, times);
	ftk_watch(MSEC_PER_SEC, PERIOD_MS);
	with = measure(work, prog, times);
	per_sample = div64_u64(max(with, without) - without,
			       div64_u64(with, every_ns));
	kunit_info(test, "%s: %llu instructions without samples, %llu with\n", what, without, with);
	kunit_info(test, "%s: %u instructions for a sample; a hundred of them in a second are %u ppm of 10^9\n",
		   what, per_sample, per_sample / 10);
	/* 0.1 percent, at most, of a CPU that executes 10^9 instructions in a second. */
	KUNIT_EXPECT_LE(test, per_sample, 10000);
}

static void watchdog_samples(struct kunit *test)
{
	const struct bpf_prog *prog = ftk_load_short(test, BPF_PROG_TYPE_TRACEPOINT);

	compare(test, "no program runs", do_nothing, NULL, TICK_NSEC);
	compare(test, "nothing but programs", do_bpf, prog, PERIOD_MS * NSEC_PER_MSEC);
}

/* Longer than the NMI is put off by a sample, in ns. */
#define MASKED_NS	(100 * NSEC_PER_MSEC)

static u64 measure_masked(u32 times)
{
	unsigned long flags;
	u64 ns;

	local_irq_save(flags);
	ns = measure(do_nothing, NULL, times);
	local_irq_restore(flags);
	return ns;
}

/* With interrupts off, nothing but NMIs takes samples: they come once in so many ns. */
static void watchdog_nmis(struct kunit *test)
{
	const u64 gap_ns = PERIOD_MS * NSEC_PER_MSEC * 3 / 2 + TICK_NSEC;
	u64 without, with;
	u32 times;

	if (!fastterm_nmi_exists())
		kunit_skip(test, "no source of NMIs on this machine");
	/* NMIs are needed only where a program can be terminated. */
	ftk_load_short(test, BPF_PROG_TYPE_TRACEPOINT);
	ftk_watch(0, PERIOD_MS);
	times = div64_u64(MASKED_NS * 100ull, measure(do_nothing, NULL, 100));
	without = measure_masked(times);
	ftk_watch(MSEC_PER_SEC, PERIOD_MS);
	/* A tick arms the first one. */
	msleep(20);
	mdelay(20);
	with = measure_masked(times);
	kunit_info(test, "interrupts off: %llu instructions without NMIs, %llu with; %llu for an NMI that takes a sample\n",
		   without, with, div64_u64(max(with, without) - without, div64_u64(with, gap_ns)));
	KUNIT_EXPECT_GT(test, with, without);
}

/* What a CPU executes on its way into and out of idle, and where it is interrupted in between. */
static void watchdog_idle(struct kunit *test)
{
	const u32 times = 1000;
	unsigned long flags;
	u64 ns[3];
	u32 i;

	ftk_load_short(test, BPF_PROG_TYPE_TRACEPOINT);
	ftk_watch(MSEC_PER_SEC, PERIOD_MS);
	local_irq_save(flags);
	ns[0] = ktime_get_mono_fast_ns();
	for (i = 0; i < times; i++)
		barrier();
	ns[0] = ktime_get_mono_fast_ns() - ns[0];
	ns[1] = ktime_get_mono_fast_ns();
	for (i = 0; i < times; i++) {
		fastterm_idle_begins();
		fastterm_idle_ends(false);
	}
	ns[1] = ktime_get_mono_fast_ns() - ns[1];
	ns[2] = ktime_get_mono_fast_ns();
	for (i = 0; i < times; i++) {
		fastterm_idle_interrupted(true);
		fastterm_idle_begins();
	}
	ns[2] = ktime_get_mono_fast_ns() - ns[2];
	local_irq_restore(flags);
	kunit_info(test, "into idle and out of it: %llu instructions; an interrupt in idle, with no CPU awake: %llu\n",
		   div_u64(ns[1] - ns[0], times), div_u64(ns[2] - ns[0], times));
	KUNIT_EXPECT_LE(test, ns[1] - ns[0], 2 * 20 * times);
	KUNIT_EXPECT_LE(test, ns[2] - ns[0], 2000 * times);
}

/* A program that is not sampled runs equally fast with the watchdog on and off. */
static void watchdog_no_cost(struct kunit *test)
{
	struct bpf_prog *prog = ftk_load_short(test, BPF_PROG_TYPE_TRACEPOINT);
	void *code = kunit_kmalloc(test, prog->jited_len, GFP_KERNEL);
	u32 i, round;
	u64 ns[2];

	KUNIT_ASSERT_NOT_NULL(test, code);
	memcpy(code, prog->bpf_func, prog->jited_len);
	for (i = 0; i < ARRAY_SIZE(ns); i++) {
		ftk_watch(i * MSEC_PER_SEC, PERIOD_MS);
		ns[i] = U64_MAX;
		/* The minimum leaves out work that is done once, as when RCU waits for this CPU. */
		for (round = 0; round < 10; round++) {
			/* preempt_enable() takes longer if another thread waits for the CPU. */
			cond_resched();
			local_irq_disable();
			ns[i] = min(ns[i], measure(do_bpf, prog, 100));
			local_irq_enable();
		}
	}
	KUNIT_EXPECT_MEMEQ(test, code, prog->bpf_func, prog->jited_len);
	kunit_info(test, "100 runs without a sample: %llu instructions with the watchdog off, %llu with it on\n",
		   ns[0], ns[1]);
	/* The difference may be up to a tick of the clock. */
	KUNIT_EXPECT_LE(test, abs_diff(ns[0], ns[1]), 200);
}

static struct kunit_case watchcost_cases[] = {
	KUNIT_CASE(watchdog_alone),
	KUNIT_CASE_SLOW(watchdog_samples),
	KUNIT_CASE_SLOW(watchdog_nmis),
	KUNIT_CASE(watchdog_idle),
	KUNIT_CASE(watchdog_no_cost),
	{}
};

static struct kunit_suite watchcost_suite = {
	.name = "fastterm_icount_watchdog",
	.init = watchcost_init,
	.exit = watchcost_exit,
	.test_cases = watchcost_cases,
};

kunit_test_suite(watchcost_suite);
