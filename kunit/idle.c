// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs that sleep
 *
 * The watchdog wakes no CPU that is idle. But an interrupt may run a program there, which has to
 * be terminated: whether other CPUs are awake or not.
 */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kallsyms.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include <kunit/test.h>

#include <trace/events/power.h>
#include <trace/events/timer.h>

#include "file.h"
#include "prog.h"
#include "runaway.h"
#include "watch.h"

#define PERIOD_MS	10

/* How long the machine is idle, in seconds. */
#define IDLE_S		5

/* The function of the watchdog's timer. */
static unsigned long timer_function;
static atomic_t nr_sleeps, nr_armed;

/* The watchdog's timer of each CPU, once it has expired. */
static DEFINE_PER_CPU(struct hrtimer *, watchdog_timer);

static void expired(void *unused, struct hrtimer *timer, ktime_t *now)
{
	if ((unsigned long)timer->function == timer_function)
		this_cpu_write(watchdog_timer, timer);
}

/*
 * Does this CPU go to sleep with a timer that will wake it? A timer that expires before the end of
 * the interrupt in which it was started, as on a virtual CPU that is not scheduled, wakes nobody.
 */
static void idles(void *unused, unsigned int state, unsigned int cpu)
{
	const struct hrtimer *timer = this_cpu_read(watchdog_timer);

	if (state == PWR_EVENT_EXIT)
		return;
	atomic_inc(&nr_sleeps);
	if (timer && hrtimer_is_queued((struct hrtimer *)timer))
		atomic_inc(&nr_armed);
}

static int idle_init(struct kunit *test)
{
	int err = ftk_watch_init(test);

	if (err)
		return err;
	timer_function = kallsyms_lookup_name("sample_by_timer");
	if (!timer_function)
		return -ENOENT;
	err = register_trace_hrtimer_expire_entry(expired, NULL);
	return err ?: register_trace_cpu_idle(idles, NULL);
}

static void idle_exit(struct kunit *test)
{
	if (timer_function) {
		unregister_trace_cpu_idle(idles, NULL);
		unregister_trace_hrtimer_expire_entry(expired, NULL);
		tracepoint_synchronize_unregister();
		ftk_write(test, ftk_open(test, "proc", "sys/kernel/bpf_fastterm_nmi"), "1\n");
	}
	timer_function = 0;
	ftk_watch_exit(test);
}

static int spin(void *unused)
{
	while (!kthread_should_stop())
		cond_resched();
	return 0;
}

static struct task_struct *busy_cpu(struct kunit *test)
{
	struct task_struct *spinner = kthread_run_on_cpu(spin, NULL, 0, "ftk_spin/%u");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, spinner);
	return spinner;
}

static void expect_sleeps(struct kunit *test, const char *what)
{
	kunit_info(test, "%s: CPUs went to sleep %u times in %u seconds, %u of them with a timer of the watchdog\n",
		   what, atomic_read(&nr_sleeps), IDLE_S, atomic_read(&nr_armed));
	KUNIT_EXPECT_GT(test, atomic_xchg(&nr_sleeps, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic_xchg(&nr_armed, 0), 0);
}

/* Let the watchdog's timer expire on a CPU: while a program runs, it does, unless ticks suffice. */
static void find_timer(struct kunit *test, struct ftk_runner *r, int cpu)
{
	u32 i;

	for (i = 0; i < 10 && !per_cpu(watchdog_timer, cpu); i++) {
		ftk_runner_start(test, r, cpu);
		KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
		ftk_runner_end(test, r);
	}
	KUNIT_ASSERT_NOT_NULL(test, per_cpu(watchdog_timer, cpu));
}

/* A program that can be terminated is loaded, and nothing runs; or nothing but kernel code does. */
static void idle_sleeps(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body) };
	struct ftk_runner *r = ftk_runner(test, &shape, NULL);
	struct task_struct *spinner;
	int cpu;

	r->once = true;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	for_each_online_cpu(cpu)
		find_timer(test, r, cpu);
	atomic_set(&nr_sleeps, 0);
	atomic_set(&nr_armed, 0);
	msleep(IDLE_S * MSEC_PER_SEC);
	expect_sleeps(test, "an idle machine");
	spinner = busy_cpu(test);
	msleep(IDLE_S * MSEC_PER_SEC);
	kthread_stop(spinner);
	expect_sleeps(test, "one busy CPU");
}

/**
 * struct ticking - a timer that runs a program in a softirq of a CPU, which is idle
 * @timer: the timer
 * @prog: the program
 * @broken: the count of ftk_run_guarded()
 * @idle: the timer has interrupted the idle task
 * @done: the program has returned
 */
struct ticking {
	struct hrtimer timer;
	struct bpf_prog *prog;
	u64 broken;
	bool idle;
	struct completion done;
};

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	struct ticking *t = container_of(timer, struct ticking, timer);

	t->idle = is_idle_task(current);
	rcu_read_lock();
	ftk_run_guarded(t->prog, ctx, &t->broken);
	rcu_read_unlock();
	complete(&t->done);
	return HRTIMER_NORESTART;
}

static void start_ticking(void *data)
{
	struct ticking *t = data;

	hrtimer_start(&t->timer, ms_to_ktime(50), HRTIMER_MODE_REL_PINNED_SOFT);
}

static void start_masked(void *data)
{
	struct ticking *t = data;

	hrtimer_start(&t->timer, ms_to_ktime(10), HRTIMER_MODE_REL_PINNED_HARD);
}

static const struct company {
	const char *name;
	bool awake;
} companies[] = {
	{ "while all other CPUs are idle", false },
	{ "while another CPU is awake", true },
};

KUNIT_ARRAY_PARAM_DESC(companies, companies, name);

static void idle_interrupted(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body) };
	const struct company *company = test->param_value;
	struct ticking *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct task_struct *spinner = NULL;
	u32 tries;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->prog = ftk_runner(test, &shape, NULL)->prog;
	init_completion(&t->done);
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
	t->timer.function = tick;
	if (company->awake)
		spinner = busy_cpu(test);
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	/* Some other thread may run there just then. */
	for (tries = 0; tries < 20 && !t->idle; tries++) {
		KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(1, start_ticking, t, true));
		KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&t->done, FTK_PATIENCE));
		KUNIT_EXPECT_EQ(test, ftk_terminations(t->prog), tries + 1);
	}
	hrtimer_cancel(&t->timer);
	if (spinner)
		kthread_stop(spinner);
	KUNIT_EXPECT_TRUE(test, t->idle);
	KUNIT_EXPECT_EQ(test, t->broken, 0);
}

/* How long the program may run, in ms. */
#define LONG_BUDGET_MS	400

static const struct awake {
	const char *name;
	u32 ms;
} awakes[] = {
	{ "another one is awake for a while", 200 },
	{ "another one is awake for a tick", 14 },
};

KUNIT_ARRAY_PARAM_DESC(awakes, awakes, name);

static int spin_a_while(void *awake)
{
	const u64 end = ktime_get_ns() + ((const struct awake *)awake)->ms * NSEC_PER_MSEC;

	while (ktime_get_ns() < end)
		cond_resched();
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/*
 * A CPU runs a program with interrupts off, and all others go to sleep. No NMI comes by itself: one
 * of the others has to go on looking.
 */
static void idle_masked(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 4, true, .body = FTK_SNIPPET(body) };
	struct file *nmi = ftk_open(test, "proc", "sys/kernel/bpf_fastterm_nmi");
	struct ticking *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	const bool nmis = ftk_has_nmis(test);
	const struct awake *awake = test->param_value;
	struct task_struct *spinner;
	u64 begin, ns;

	KUNIT_ASSERT_NOT_NULL(test, t);
	if (!nmis && awake->ms < 5 * PERIOD_MS)
		kunit_skip(test, "no NMI on this machine: who looks only once learns nothing");
	t->prog = ftk_runner(test, &shape, NULL)->prog;
	init_completion(&t->done);
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	t->timer.function = tick;
	KUNIT_EXPECT_EQ(test, ftk_write(test, nmi, "0\n"), 2);
	ftk_watch(LONG_BUDGET_MS, PERIOD_MS);
	spinner = kthread_create_on_cpu(spin_a_while, (void *)awake, 0, "ftk_spin/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, spinner);
	/* While a grace period has not ended, RCU looks after CPUs as well, which wakes others. */
	rcu_barrier();
	msleep(50);
	begin = ktime_get_ns();
	KUNIT_EXPECT_EQ(test, 0, smp_call_function_single(1, start_masked, t, true));
	wake_up_process(spinner);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&t->done, FTK_PATIENCE));
	ns = ktime_get_ns() - begin;
	kthread_stop(spinner);
	hrtimer_cancel(&t->timer);
	kunit_info(test, "ended after %llu ms\n", div_u64(ns, NSEC_PER_MSEC));
	KUNIT_EXPECT_LE(test, ns, 3 * LONG_BUDGET_MS * NSEC_PER_MSEC);
	/* If no NMI reaches the CPU, the kernel's loops end there. */
	KUNIT_EXPECT_EQ(test, ftk_terminations(t->prog), nmis);
	KUNIT_EXPECT_EQ(test, t->broken, 0);
}

static struct kunit_case idle_cases[] = {
	KUNIT_CASE_PARAM(idle_masked, awakes_gen_params),
	/* After that: nobody goes on looking after others. */
	KUNIT_CASE_SLOW(idle_sleeps),
	KUNIT_CASE_PARAM(idle_interrupted, companies_gen_params),
	{}
};

static struct kunit_suite idle_suite = {
	.name = "fastterm_watchdog_idle",
	.init = idle_init,
	.exit = idle_exit,
	.test_cases = idle_cases,
};

kunit_test_suite(idle_suite);
