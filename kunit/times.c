// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time that is not the program's
 *
 * A program that is preempted, or whose CPU goes offline and comes back, is judged by the time
 * for which it has run.
 */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include <kunit/test.h>

#include <trace/events/cpuhp.h>

#include "prog.h"
#include "run.h"
#include "runaway.h"
#include "watch.h"

#define PERIOD_MS	10

/* How long a task of a higher priority runs, in ms. */
#define PREEMPTED_MS	2000

/* How often a CPU goes offline and comes back. */
#define NR_CYCLES	(IS_ENABLED(CONFIG_KASAN) ? 20 : 100)

static int times_init(struct kunit *test)
{
	return ftk_watch_init(test);
}

/**
 * struct preemptor - a task of a higher priority
 * @begins: it begins to run
 */
struct preemptor {
	struct completion begins;
};

static int preempt(void *data)
{
	struct preemptor *p = data;
	u64 end;

	wait_for_completion(&p->begins);
	end = ktime_get_ns() + PREEMPTED_MS * (u64)NSEC_PER_MSEC;
	while (ktime_get_ns() < end)
		cpu_relax();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static const struct preempted {
	const char *name;
	u32 iterations;
	bool leaves;
} preempted[] = {
	{ "a healthy program", 20000 },
	{ "a program that runs away, and has been terminated", 0, true },
};

KUNIT_ARRAY_PARAM_DESC(preempted, preempted, name);

static void see_leaving(void *data, const struct fastterm_outcome *outcome, u8 level, int err)
{
	struct preemptor *p = data;

	if (!in_nmi())
		complete(&p->begins);
}

/* Only time for which the program runs counts, before and after its termination. */
static void times_preempted(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct preempted *c = test->param_value;
	const struct ftk_shape shape = {
		c->leaves ? 4 : 1, .iterations = c->iterations, .body = FTK_SNIPPET(body),
	};
	struct ftk_runner *r = ftk_runner(test, &shape, NULL);
	struct preemptor *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct task_struct *high;

	if (!preempt_model_full())
		kunit_skip(test, "programs are not preempted in this kernel (preempt=full)");
	KUNIT_ASSERT_NOT_NULL(test, p);
	init_completion(&p->begins);
	high = kthread_create_on_cpu(preempt, p, 1, "ftk_high/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, high);
	sched_set_fifo(high);
	wake_up_process(high);
	if (c->leaves)
		KUNIT_ASSERT_EQ(test, ftk_on_kick(see_leaving, p), 0);
	r->once = true;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, r, 1);
	if (!c->leaves) {
		/* Now or never: the program takes some milliseconds. */
		usleep_range(1000, 2000);
		complete(&p->begins);
	}
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	if (c->leaves)
		ftk_on_kick_end();
	ftk_runner_end(test, r);
	kthread_stop(high);
	KUNIT_EXPECT_EQ(test, ftk_terminations(r->prog), c->leaves);
	KUNIT_EXPECT_EQ(test, atomic_read(&ftk_blamed.nr), c->leaves);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
}

static const struct bpf_prog *at_states;
static u32 nr_states;

/* In every eighth state that a CPU comes to. */
static void change_state(void *unused, unsigned int cpu, int target, int idx,
			 int (*fun)(unsigned int))
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS];

	if (nr_states++ % 8 == 0)
		ftk_run(at_states, ctx);
}

/* Programs run away on the CPU that comes and goes, and where it changes its state. */
static void times_hotplug(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body) };
	struct ftk_runner *r = ftk_runner(test, &shape, NULL), *after;
	u32 i;

	if (!IS_ENABLED(CONFIG_HOTPLUG_CPU))
		kunit_skip(test, "CPUs stay online (CONFIG_HOTPLUG_CPU)");
	at_states = ftk_runner(test, &shape, NULL)->prog;
	nr_states = 0;
	ftk_watch(FTK_BUDGET_MS / 10, 2);
	KUNIT_ASSERT_EQ(test, register_trace_cpuhp_enter(change_state, NULL), 0);
	for (i = 0; i < NR_CYCLES; i++) {
		KUNIT_EXPECT_EQ(test, remove_cpu(1), 0);
		KUNIT_EXPECT_EQ(test, add_cpu(1), 0);
	}
	unregister_trace_cpuhp_enter(change_state, NULL);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_GE(test, ftk_terminations(at_states), NR_CYCLES);
	/* The CPU samples itself as before, and its neighbours look after it. */
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	for (i = 0; i < 3; i++) {
		after = i ? ftk_runner(test, &shape, NULL) : r;
		after->once = true;
		ftk_runner_start(test, after, 1);
		KUNIT_EXPECT_TRUE(test, ftk_runner_left(after));
		ftk_runner_end(test, after);
		KUNIT_EXPECT_EQ(test, ftk_terminations(after->prog), 1);
		KUNIT_EXPECT_EQ(test, after->broken, 0);
	}
}

static struct kunit_case times_cases[] = {
	KUNIT_CASE_PARAM_ATTR(times_preempted, preempted_gen_params, { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_SLOW(times_hotplug),
	{}
};

static struct kunit_suite times_suite = {
	.name = "fastterm_watchdog_times",
	.init = times_init,
	.exit = ftk_watch_exit,
	.test_cases = times_cases,
};

kunit_test_suite(times_suite);
