// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog
 *
 * A program that runs for too long is terminated, wherever it runs, without a request from
 * elsewhere. The kernel's other detectors still report other stalls.
 */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/fastterm_arch.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/kmsg_dump.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/ratelimit_types.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "../trigger.h"
#include "../watchdog.h"
#include "attach.h"
#include "btf.h"
#include "file.h"
#include "kfuncs.h"
#include "map.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"
#include "watch.h"

/* A short period, so that a program is sampled often. */
#define PERIOD_MS	2

static void write_bad(struct kunit *test, const char *name, const unsigned int *value,
		      const char *text)
{
	const unsigned int before = *value;
	struct file *file = ftk_open(test, "proc", name);

	KUNIT_EXPECT_EQ_MSG(test, ftk_write(test, file, text), -EINVAL, "%s: %s", name, text);
	KUNIT_EXPECT_EQ(test, *value, before);
}

static void watchdog_sysctls(struct kunit *test)
{
	struct file *file;

	write_bad(test, "sys/kernel/bpf_fastterm_budget_ms", &fastterm_budget_ms, "3600001\n");
	write_bad(test, "sys/kernel/bpf_fastterm_budget_ms", &fastterm_budget_ms, "-1\n");
	write_bad(test, "sys/kernel/bpf_fastterm_budget_ms", &fastterm_budget_ms, "long\n");
	write_bad(test, "sys/kernel/bpf_fastterm_sleepable_budget_ms",
		  &fastterm_sleepable_budget_ms, "3600001\n");
	write_bad(test, "sys/kernel/bpf_fastterm_period_ms", &fastterm_period_ms, "0\n");
	write_bad(test, "sys/kernel/bpf_fastterm_period_ms", &fastterm_period_ms, "1001\n");

	file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm_period_ms");
	KUNIT_EXPECT_EQ(test, ftk_write(test, file, "1000\n"), 5);
	KUNIT_EXPECT_EQ(test, fastterm_period_ms, 1000);
	KUNIT_EXPECT_EQ(test, ftk_write(test, file, "10\n"), 3);
}

static const struct bpf_insn body_helper[] = {
	FTK_CALL(BPF_FUNC_get_current_uid_gid),
};

static void shape_inlined(struct kunit *test, struct ftk_shape *shape)
{
	shape->levels = 4;
}

static void shape_callbacks(struct kunit *test, struct ftk_shape *shape)
{
	shape->levels = 4;
	shape->out_of_line = true;
}

static void shape_things(struct kunit *test, struct ftk_shape *shape)
{
	shape->levels = 3;
	ftk_hold_things(test, shape);
}

static void shape_locked(struct kunit *test, struct ftk_shape *shape)
{
	struct ftk_map m = ftk_map_typed(test);

	shape->levels = 1;
	ftk_loop_locked(test, shape, &m);
}

static const struct runaway {
	const char *name;
	enum bpf_prog_type type;
	void (*prepare)(struct kunit *test, struct ftk_shape *shape);
	bool masked;
} runaways[] = {
	{ "loops", BPF_PROG_TYPE_TRACEPOINT, shape_inlined },
	{ "callbacks of helpers", BPF_PROG_TYPE_TRACEPOINT, shape_callbacks },
	{ "fifty references", BPF_PROG_TYPE_TRACEPOINT, shape_things },
	{ "interrupts off", BPF_PROG_TYPE_SCHED_CLS, shape_locked, true },
};

KUNIT_ARRAY_PARAM_DESC(runaways, runaways, name);

/* The program is terminated once, and not before its budget is over. */
static void watchdog_runaway(struct kunit *test)
{
	const struct runaway *c = test->param_value;
	const struct ftk_opts opts = { .type = c->type };
	struct ftk_shape shape = { .body = FTK_SNIPPET(body_helper) };
	const s64 things = atomic_read(&ftk_things);
	struct ftk_runner *r;
	u64 begin, most_ns;

	c->prepare(test, &shape);
	r = ftk_runner(test, &shape, &opts);
	r->once = true;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	begin = ktime_get_mono_fast_ns();
	ftk_runner_start(test, r, 1);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	/*
	 * The time between two samples counts up to a limit, so that this holds on any machine.
	 * It does not hold with interrupts off, where all of the time counts until another CPU
	 * samples this one.
	 */
	most_ns = c->masked ? ktime_get_mono_fast_ns() - begin :
			      (FTK_BUDGET_MS + 2 * PERIOD_MS) * NSEC_PER_MSEC;
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, ftk_terminations(r->prog), 1);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
	KUNIT_EXPECT_EQ(test, things, atomic_read(&ftk_things));
	KUNIT_EXPECT_EQ(test, atomic_read(&ftk_blamed.nr), 1);
	KUNIT_EXPECT_GE(test, atomic64_read(&ftk_blamed.least_ns), FTK_BUDGET_MS * NSEC_PER_MSEC);
	KUNIT_EXPECT_LE(test, atomic64_read(&ftk_blamed.most_ns), most_ns);
}

/* Find the next line of the kernel log that reports the program. */
static bool find_line(struct kmsg_dump_iter *iter, const char *begin, char *line, size_t size)
{
	unsigned long end = jiffies + FTK_PATIENCE;
	size_t len;

	while (time_before(jiffies, end)) {
		while (kmsg_dump_get_line(iter, false, line, size - 1, &len)) {
			line[len] = 0;
			if (strstr(line, begin))
				return true;
		}
		schedule_timeout_uninterruptible(1);
	}
	return false;
}

static void expect_fdinfo(struct kunit *test, struct bpf_prog *prog, const char *line)
{
	struct file *file = fget(ftk_prog_fd(test, prog));
	struct seq_file *m = ftk_seq(test);
	const char *text;

	KUNIT_ASSERT_NOT_NULL(test, file);
	file->f_op->show_fdinfo(m, file);
	fput(file);
	text = ftk_seq_text(test, m);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, line), "%s", text);
}

/* The kernel log and the program's fdinfo report the termination. */
static void watchdog_log(struct kunit *test)
{
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body_helper) };
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct ftk_runner *r = ftk_runner(test, &shape, &opts);
	const size_t size = 512;
	char *line = kunit_kzalloc(test, size, GFP_KERNEL), *rest;
	char begin[128];
	u32 ms = 0, cpu = 0, frames = 0, kicks = 0;
	struct kmsg_dump_iter iter;
	int found;

	KUNIT_ASSERT_NOT_NULL(test, line);
	scnprintf(begin, sizeof(begin),
		  "fastterm: program %s (id %u, tag %*phN, tracepoint) ran for ",
		  r->prog->aux->name, r->prog->aux->id, BPF_TAG_SIZE, r->prog->tag);
	expect_fdinfo(test, r->prog, "fastterm_terminations:\t0\n");
	/* The lines are rate-limited, and other cases may have used up what there is. */
	schedule_timeout_uninterruptible(DEFAULT_RATELIMIT_INTERVAL + 1);
	kmsg_dump_rewind(&iter);
	r->once = true;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, r, 1);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	ftk_runner_end(test, r);
	expect_fdinfo(test, r->prog, "fastterm_terminations:\t1\n");
	KUNIT_ASSERT_TRUE_MSG(test, find_line(&iter, begin, line, size), "%s", begin);
	rest = strstr(line, begin) + strlen(begin);
	found = sscanf(rest, "%u ms on CPU %u: terminated, %u frames, %u kicks", &ms, &cpu,
		       &frames, &kicks);
	KUNIT_EXPECT_EQ_MSG(test, found, 4, "%s", line);
	KUNIT_EXPECT_NOT_NULL(test, strstr(rest, "raise kernel.bpf_fastterm_budget_ms"));
	KUNIT_EXPECT_GE(test, ms, FTK_BUDGET_MS);
	KUNIT_EXPECT_EQ(test, cpu, 1);
	KUNIT_EXPECT_GE(test, frames, 1);
	KUNIT_EXPECT_GE(test, kicks, 1);
}

/* A function to which a program is attached through a trampoline. */
static noinline __noclone int ftk_traced(int value)
{
	barrier_data(&value);
	return value;
}

static int ftk_sink;

/* A function with room for a jump in the middle of its code. */
static noinline __noclone __no_sanitize_address int ftk_optimized(int value)
{
	WRITE_ONCE(ftk_sink, value);
	WRITE_ONCE(ftk_sink, value);
	WRITE_ONCE(ftk_sink, value);
	WRITE_ONCE(ftk_sink, value);
	return value;
}

/**
 * struct calling - a call by a kernel thread on the second CPU
 * @func: the function, to which a program is attached
 * @done: the call has returned
 */
struct calling {
	int (*func)(int value);
	struct completion done;
};

static int call(void *data)
{
	struct calling *calling = data;
	int value = calling->func(1);

	complete(&calling->done);
	return value - 1;
}

/* Call @func and expect that @prog is terminated. Otherwise it returns after 2^23 iterations. */
static void expect_terminated(struct kunit *test, int (*func)(int value),
			      const struct bpf_prog *prog)
{
	struct calling calling = { .func = func };
	struct task_struct *other;

	init_completion(&calling.done);
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	other = kthread_run_on_cpu(call, &calling, 1, "ftk_call/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	wait_for_completion(&calling.done);
	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 1);
}

/* In a kernel thread, with a trampoline on its stack that the kernel's unwinder cannot pass. */
static void watchdog_trampoline(struct kunit *test)
{
	const struct ftk_shape shape = { 1, .body = FTK_SNIPPET(body_helper) };
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.func = "ftk_traced",
	};
	struct bpf_prog *prog;

	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		kunit_skip(test, "no ftrace direct calls: no trampolines for functions");
	prog = ftk_runner(test, &shape, &opts)->prog;
	ftk_attach(test, prog);
	expect_terminated(test, ftk_traced, prog);
}

/* An address behind the beginning of a function, and behind ftrace's instructions there. */
static unsigned long amid(unsigned long func)
{
	struct fastterm_insn insn;
	u32 off;
	int len;

	for (off = 0; off < 16; off += len) {
		len = fastterm_arch_decode((u8 *)func, off, 64, func, &insn);
		if (len < 0)
			return 0;
	}
	return func + off;
}

/* In an optimized kprobe, a jump to code that was made for it: no unwinder finds the caller. */
static void watchdog_optimized(struct kunit *test)
{
	const struct ftk_shape shape = { 1, .body = FTK_SNIPPET(body_helper) };
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_KPROBE };
	const unsigned long at = amid((unsigned long)ftk_optimized);
	struct bpf_prog *prog;
	bool optimized;

	if (!IS_ENABLED(CONFIG_OPTPROBES))
		kunit_skip(test, "kprobes are never optimized (CONFIG_OPTPROBES)");
	prog = ftk_runner(test, &shape, &opts)->prog;
	ftk_attach_kprobe(test, prog, at);
	wait_for_kprobe_optimizer();
	preempt_disable();
	optimized = kprobe_optimized(get_kprobe((void *)at));
	preempt_enable();
	KUNIT_ASSERT_TRUE(test, optimized);
	expect_terminated(test, ftk_optimized, prog);
}

/* Programs run on all CPUs at once, including the test's: no other CPU can help. */
static void watchdog_all_stuck(struct kunit *test)
{
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body_helper) };
	struct ftk_runner **r;
	u32 cpu;

	r = kunit_kcalloc(test, nr_cpu_ids, sizeof(*r), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	for_each_online_cpu(cpu) {
		r[cpu] = ftk_runner(test, &shape, NULL);
		r[cpu]->once = true;
	}
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	for_each_online_cpu(cpu)
		ftk_runner_start(test, r[cpu], cpu);
	for_each_online_cpu(cpu) {
		KUNIT_EXPECT_TRUE(test, ftk_runner_left(r[cpu]));
		ftk_runner_end(test, r[cpu]);
		KUNIT_EXPECT_EQ(test, ftk_terminations(r[cpu]->prog), 1);
		KUNIT_EXPECT_EQ(test, r[cpu]->broken, 0);
	}
}

/**
 * struct ticking - a timer that runs a program
 * @timer: the timer, whose function runs in a softirq
 * @prog: the program
 * @broken: the count of ftk_run_guarded()
 * @done: the program has returned
 */
struct ticking {
	struct hrtimer timer;
	struct bpf_prog *prog;
	u64 broken;
	bool done;
};

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	struct ticking *t = container_of(timer, struct ticking, timer);

	rcu_read_lock();
	ftk_run_guarded(t->prog, ctx, &t->broken);
	rcu_read_unlock();
	/* Pairs with the acquire in watchdog_softirq(). */
	smp_store_release(&t->done, true);
	return HRTIMER_NORESTART;
}

static void start_ticking(void *data)
{
	struct ticking *t = data;

	hrtimer_start(&t->timer, 0, HRTIMER_MODE_REL_PINNED_SOFT);
}

/* In a softirq, as for timers and received packets. */
static void watchdog_softirq(struct kunit *test)
{
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body_helper) };
	struct ticking *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned long end = jiffies + FTK_PATIENCE;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->prog = ftk_runner(test, &shape, NULL)->prog;
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
	t->timer.function = tick;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(1, start_ticking, t, true));
	/* Pairs with the release in the timer's function. */
	while (!smp_load_acquire(&t->done) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_TRUE(test, t->done);
	hrtimer_cancel(&t->timer);
	KUNIT_EXPECT_EQ(test, ftk_terminations(t->prog), 1);
	KUNIT_EXPECT_EQ(test, t->broken, 0);
}

/* A timer of the program expires after this time, in ns. */
#define TIMER_NS	1000000

static const struct armed {
	const char *name;
	enum bpf_prog_type type;
	u32 flags;
} armed[] = {
	{ "armed by a program for packets", BPF_PROG_TYPE_SCHED_CLS },
	{ "armed by a program that may sleep", BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE },
};

KUNIT_ARRAY_PARAM_DESC(armed, armed, name);

/*
 * A loop in the callback of a timer, which has no main function below it, on an idle CPU. The
 * callback may not sleep, and has the budget of what may not.
 */
static void watchdog_timer(struct kunit *test)
{
	const struct armed *by = test->param_value;
	const struct ftk_map m = ftk_map_typed(test);
	const struct bpf_insn insns[] = {
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 1),
		BPF_EXIT_INSN(),
		/* 8 */
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, offsetof(struct ftk_value, timer)),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, CLOCK_MONOTONIC),
		FTK_CALL(BPF_FUNC_timer_init),
		/* 15 */
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 8),
		FTK_CALL(BPF_FUNC_timer_set_callback),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_MOV64_IMM(BPF_REG_2, TIMER_NS),
		BPF_MOV64_IMM(BPF_REG_3, BPF_F_TIMER_CPU_PIN),
		FTK_CALL(BPF_FUNC_timer_start),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* 25: the callback of the timer */
		BPF_MOV64_IMM(BPF_REG_1, FTK_FOREVER),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* 33: the callback of the timer's loop, which loops as well */
		BPF_MOV64_IMM(BPF_REG_1, FTK_FOREVER),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* 41 */
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = by->type, .flags = by->flags };
	struct ftk_runner *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	unsigned long end = jiffies + FTK_PATIENCE;

	KUNIT_ASSERT_NOT_NULL(test, r);
	ftk_need_callbacks(test);
	r->prog = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
	r->once = true;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, r, 1);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	ftk_runner_end(test, r);
	while (!ftk_terminations(r->prog) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, ftk_terminations(r->prog), 1);
	KUNIT_EXPECT_LE(test, atomic64_read(&ftk_blamed.most_ns),
			(FTK_BUDGET_MS + 2 * PERIOD_MS) * NSEC_PER_MSEC);
}

/**
 * struct masked - a program that is run with interrupts off
 * @prog: the program
 * @ctx: its context, as struct ftk_shape requires
 * @broken: the count of ftk_run_guarded()
 * @cpu: the CPU on which it is to run in an NMI
 * @ran: it has been started
 */
struct masked {
	struct bpf_prog *prog;
	u64 ctx[MAX_BPF_FUNC_ARGS];
	u64 broken;
	int cpu;
	bool ran;
};

static void run_masked(void *data)
{
	struct masked *m = data;

	rcu_read_lock();
	ftk_run_guarded(m->prog, m->ctx, &m->broken);
	rcu_read_unlock();
}

/*
 * In an interrupt, an NMI terminates the program. Without NMIs, the kernel's loops over its
 * callbacks end. If neither happens, the call does not return.
 */
static void watchdog_masked(struct kunit *test)
{
	const struct ftk_shape shape = { 4, true, .body = FTK_SNIPPET(body_helper) };
	struct masked *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->prog = ftk_runner(test, &shape, NULL)->prog;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(1, run_masked, m, true));
	KUNIT_EXPECT_EQ(test, m->broken, 0);
	KUNIT_EXPECT_LE(test, ftk_terminations(m->prog), 1);
	kunit_info(test, "%s\n", ftk_terminations(m->prog) ? "terminated by an NMI" :
			 "its loops were cut: no NMI has come through");
}

static struct masked *masked_in_nmi;

static void run_in_nmi(struct pt_regs *regs)
{
	struct masked *m = masked_in_nmi;

	if (!in_nmi() || m->ran || smp_processor_id() != m->cpu)
		return;
	WRITE_ONCE(m->ran, true);
	run_masked(m);
}

/* Request a sample of this CPU, which is taken by an NMI if the machine has NMIs. */
static void send_nmi(void *data)
{
	const struct masked *m = data;
	u32 tries, i;

	/*
	 * If another CPU samples this one at the same time, the NMI may be taken for the
	 * watchdog's.
	 */
	for (tries = 0; tries < 3 && !READ_ONCE(m->ran); tries++) {
		fastterm_sample(m->cpu, run_in_nmi, true);
		for (i = 0; i < 1000000 && !READ_ONCE(m->ran); i++)
			cpu_relax();
	}
}

/* Nothing interrupts an NMI: another CPU makes the kernel's loops over callbacks end. */
static void watchdog_in_nmi(struct kunit *test)
{
	const struct ftk_shape shape = { 4, true, .body = FTK_SNIPPET(body_helper) };
	struct masked *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->prog = ftk_runner(test, &shape, NULL)->prog;
	m->cpu = 1;
	masked_in_nmi = m;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(1, send_nmi, m, true));
	if (!m->ran)
		kunit_skip(test, "no NMI on this machine");
	KUNIT_EXPECT_EQ(test, m->broken, 0);
	/* The program has not been redirected. */
	KUNIT_EXPECT_EQ(test, ftk_terminations(m->prog), 0);
}

/* Sleepable programs have their own budget. */
static void watchdog_sleepable(struct kunit *test)
{
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body_helper) };
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_SYSCALL,
		.flags = BPF_F_SLEEPABLE,
	};
	const struct bpf_prog *prog = ftk_runner(test, &shape, &opts)->prog;
	static const u64 ctx[MAX_BPF_FUNC_ARGS];

	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	WRITE_ONCE(fastterm_budget_ms, 1);
	ftk_run(prog, ctx);
	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 1);
	KUNIT_EXPECT_GE(test, atomic64_read(&ftk_blamed.least_ns),
			2 * FTK_BUDGET_MS * NSEC_PER_MSEC);
}

static void write_value(struct kunit *test, const char *fs, const char *name,
			const char *text)
{
	KUNIT_ASSERT_EQ_MSG(test, ftk_write(test, ftk_open(test, fs, name), text),
			    strlen(text), "%s", name);
}

/**
 * struct stalling - kernel code that keeps a CPU busy
 * @ms: how long
 * @begun: it has started
 */
struct stalling {
	unsigned int ms;
	struct completion begun;
};

static int stall(void *data)
{
	struct stalling *s = data;
	unsigned long end = jiffies + msecs_to_jiffies(s->ms);

	preempt_disable();
	complete(&s->begun);
	while (time_before(jiffies, end))
		cpu_relax();
	preempt_enable();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Keep a CPU busy, and wait for a grace period, which this delays. */
static void stall_for(struct kunit *test, unsigned int ms)
{
	struct stalling s = {
		.ms = ms,
		.begun = COMPLETION_INITIALIZER_ONSTACK(s.begun),
	};
	struct task_struct *other;

	other = kthread_run_on_cpu(stall, &s, 1, "ftk_stall/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	wait_for_completion(&s.begun);
	synchronize_rcu();
	KUNIT_EXPECT_EQ(test, kthread_stop(other), 0);
}

/* The watchdog does not report kernel code that is no program, and the other detectors still do. */
static void watchdog_others(struct kunit *test)
{
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	pr_info("# expect splat: soft lockup\n");
	write_value(test, "proc", "sys/kernel/watchdog_thresh", "1\n");
	stall_for(test, 4 * MSEC_PER_SEC);
	write_value(test, "proc", "sys/kernel/watchdog_thresh", "10\n");
	pr_info("# expect splat: rcu: INFO: rcu_\\w+ (self-)?detected\n");
	write_value(test, "sysfs", "module/rcupdate/parameters/rcu_cpu_stall_timeout", "3\n");
	/* With CONFIG_PROVE_RCU, the timeout is five seconds longer. */
	stall_for(test, (IS_ENABLED(CONFIG_PROVE_RCU) ? 10 : 5) * MSEC_PER_SEC);
	write_value(test, "sysfs", "module/rcupdate/parameters/rcu_cpu_stall_timeout", "21\n");
	pr_info("# expect splat: end\n");
	KUNIT_EXPECT_EQ(test, atomic_read(&ftk_blamed.nr), 0);
}

/**
 * struct turns - a program that is run on the second CPU
 * @prog: the program
 * @sample: request a sample of this CPU before
 */
struct turns {
	struct bpf_prog *prog;
	bool sample;
};

static void see_nothing(struct pt_regs *regs)
{
}

static int take_turns(void *data)
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	const struct turns *t = data;

	if (t->sample)
		fastterm_sample(1, see_nothing, false);
	return ftk_run(t->prog, ctx);
}

/* Run the program and return the number of iterations of its loop. */
static u64 turns(struct kunit *test, struct turns *t, const struct ftk_map *count)
{
	const u32 key = 0;
	u64 before, after;

	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(count, &key, &before));
	KUNIT_ASSERT_EQ(test, smp_call_on_cpu(1, take_turns, t, false), 0);
	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(count, &key, &after));
	return after - before;
}

static void cut_no_more(void *unused)
{
	fastterm_cut_loops(1, false);
}

/* A CPU that did not respond for a while, such as a virtual one, turns out to take interrupts. */
static void watchdog_mistaken(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct bpf_insn body[] = {
		BPF_LD_IMM64_RAW(BPF_REG_1, BPF_PSEUDO_MAP_VALUE, count.fd),
		BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, 0),
	};
	const struct ftk_shape shape = { 1, true, 8, .body = FTK_SNIPPET(body) };
	struct turns t = { .prog = ftk_runner(test, &shape, NULL)->prog };
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.target = t.prog,
	};
	unsigned long end = jiffies + FTK_PATIENCE;
	u32 i, heard = 0;
	const u32 key = 0;
	u64 nr, runs = 0;

	ftk_attach(test, ftk_load_counter(test, &entered, &opts));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, cut_no_more, NULL));
	/*
	 * The watchdog's timer of the last case, or another kick, may still come and undo the
	 * cut.
	 */
	do {
		fastterm_cut_loops(1, true);
		nr = turns(test, &t, &count);
		runs++;
	} while (nr != 1 && time_before(jiffies, end));
	KUNIT_EXPECT_EQ(test, nr, 1);
	/* A program that is entered there is not refused. */
	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(&entered, &key, &nr));
	KUNIT_EXPECT_EQ(test, nr, runs);
	/* The kick of a sample undoes the cut, and not that timer. */
	t.sample = true;
	for (i = 0; i < 10; i++) {
		fastterm_cut_loops(1, true);
		heard += turns(test, &t, &count) == 8;
	}
	KUNIT_EXPECT_GE(test, heard, 5);
}

static struct kunit_case watchdog_cases[] = {
	KUNIT_CASE(watchdog_sysctls),
	KUNIT_CASE_SLOW(watchdog_log),
	KUNIT_CASE_PARAM(watchdog_runaway, runaways_gen_params),
	KUNIT_CASE(watchdog_trampoline),
	KUNIT_CASE(watchdog_optimized),
	KUNIT_CASE(watchdog_all_stuck),
	KUNIT_CASE(watchdog_softirq),
	KUNIT_CASE_PARAM(watchdog_timer, armed_gen_params),
	KUNIT_CASE(watchdog_masked),
	KUNIT_CASE(watchdog_in_nmi),
	KUNIT_CASE(watchdog_mistaken),
	KUNIT_CASE(watchdog_sleepable),
	KUNIT_CASE_SLOW(watchdog_others),
	{}
};

static struct kunit_suite watchdog_suite = {
	.name = "fastterm_watchdog",
	.init = ftk_watch_init,
	.exit = ftk_watch_exit,
	.test_cases = watchdog_cases,
};

kunit_test_suite(watchdog_suite);
