// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that run often, and each time for a short while
 */

#include <linux/bpf.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/processor.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include <kunit/test.h>

#include "../program.h"
#include "file.h"
#include "prog.h"
#include "runaway.h"
#include "watch.h"

#define PERIOD_MS	10

/* How long a program that is within its limit is looked at, in seconds. */
#define LENGTH_S	5

/* The limit, in percent of a CPU. */
#define LIMIT		"50\n"

#define MAX_CPUS	4

/**
 * struct sharer - a thread that runs a program for a part of its time
 * @prog: the program, which is short
 * @percent: the part
 * @runs: how often it has run
 * @thread: the thread
 */
struct sharer {
	struct bpf_prog *prog;
	u32 percent;
	u64 runs;
	struct task_struct *thread;
};

static void run_once(struct sharer *s)
{
	u64 ctx[MAX_BPF_FUNC_ARGS] = {}, broken = 0;

	rcu_read_lock();
	migrate_disable();
	ftk_run_guarded(s->prog, ctx, &broken);
	migrate_enable();
	rcu_read_unlock();
	s->runs++;
}

static void idle_for(u64 ns)
{
	const u64 begin = ktime_get_mono_fast_ns();

	while (ktime_get_mono_fast_ns() - begin < ns)
		cpu_relax();
}

/* The time between runs varies, or ticks might always come while the program runs. */
static int share(void *data)
{
	struct sharer *s = data;
	const u64 begin = ktime_get_mono_fast_ns();
	u64 ran = 0, now;

	while (!kthread_should_stop()) {
		now = ktime_get_mono_fast_ns();
		if (ran * 100 <= (now - begin) * s->percent) {
			run_once(s);
			ran += ktime_get_mono_fast_ns() - now;
		} else {
			idle_for(get_random_u32_below(NSEC_PER_MSEC / 2));
		}
		cond_resched();
	}
	return 0;
}

static const struct shared {
	const char *name;
	u32 cpus;
	u32 percent;
	bool strikes;
} shareds[] = {
	{ "90 percent of the limit, on one CPU", 1, 45 },
	{ "twice the limit, on one CPU", 1, 100, true },
	{ "90 percent of the limit, on three CPUs", 3, 15 },
	{ "twice the limit, on three CPUs", 3, 33, true },
};

KUNIT_ARRAY_PARAM_DESC(shareds, shareds, name);

static int strikes_of(const struct bpf_prog *prog)
{
	return atomic_read(&fastterm_of(prog)->quarantine.nr);
}

static void share_limited(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 1, .iterations = 500, .body = FTK_SNIPPET(body) };
	struct file *file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm_share_percent");
	struct bpf_prog *prog = ftk_runner(test, &shape, NULL)->prog;
	const struct shared *c = test->param_value;
	struct sharer sharers[MAX_CPUS] = {};
	unsigned long end;
	u64 runs = 0;
	u32 i;

	if (num_online_cpus() <= c->cpus)
		kunit_skip(test, "too few CPUs");
	KUNIT_ASSERT_EQ(test, ftk_write(test, file, LIMIT), 3);
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	for (i = 0; i < c->cpus; i++) {
		sharers[i].prog = prog;
		sharers[i].percent = c->percent;
		sharers[i].thread = kthread_run_on_cpu(share, &sharers[i], i + 1, "ftk_share/%u");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sharers[i].thread);
	}
	end = jiffies + (c->strikes ? FTK_PATIENCE : LENGTH_S * HZ);
	while (time_before(jiffies, end) && !strikes_of(prog))
		schedule_timeout_uninterruptible(1);
	for (i = 0; i < c->cpus; i++) {
		kthread_stop(sharers[i].thread);
		runs += sharers[i].runs;
	}
	KUNIT_EXPECT_EQ(test, ftk_write(test, file, "0\n"), 2);
	kunit_info(test, "%llu runs, %d strikes\n", runs, strikes_of(prog));
	KUNIT_EXPECT_EQ(test, strikes_of(prog) > 0, c->strikes);
	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 0);
}

static struct kunit_case share_cases[] = {
	KUNIT_CASE_PARAM_ATTR(share_limited, shareds_gen_params, { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite share_suite = {
	.name = "fastterm_watchdog_share",
	.init = ftk_watch_init,
	.exit = ftk_watch_exit,
	.test_cases = share_cases,
};

kunit_test_suite(share_suite);
