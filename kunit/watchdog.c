// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog
 *
 * Whatever runs for too long is terminated, wherever it runs, and nobody asks for it.
 * Whatever does not is left alone, however often it is sampled. Other stalls are still
 * found by those who have always found them.
 */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/kmsg_dump.h>
#include <linux/kthread.h>
#include <linux/perf_event.h>
#include <linux/preempt.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/trace_events.h>

#include <net/xdp.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "../internal.h"
#include "../trace.h"
#include "file.h"
#include "kfuncs.h"
#include "prog.h"
#include "runaway.h"

#define BUDGET_MS	50

/* So short a period, that a program is sampled often. */
#define PERIOD_MS	2

/* How often a program that does no harm is run. */
#define NR_ACTIVATIONS	1000000

/**
 * struct seen - what the watchdog has blamed since a case began
 * @nr: how often
 * @least_ns: the shortest time that one had been seen running
 * @most_ns: the longest
 */
static struct seen {
	atomic_t nr;
	atomic64_t least_ns;
	atomic64_t most_ns;
} seen;

static void see(void *unused, const struct bpf_prog *prog, int cpu, u64 ran_ns)
{
	atomic_inc(&seen.nr);
	/* One CPU at a time writes these in the cases that read them. */
	atomic64_set(&seen.least_ns, min_t(u64, atomic64_read(&seen.least_ns), ran_ns));
	atomic64_set(&seen.most_ns, max_t(u64, atomic64_read(&seen.most_ns), ran_ns));
}

static void watch(unsigned int budget_ms, unsigned int period_ms)
{
	WRITE_ONCE(fastterm_period_ms, period_ms);
	WRITE_ONCE(fastterm_budget_ms, budget_ms);
	WRITE_ONCE(fastterm_sleepable_budget_ms, 2 * budget_ms);
	fastterm_watchdog_update();
}

/* The programs of all other suites run for as long as they like. */
static int __init no_watchdog(void)
{
	if (kunit_enabled())
		watch(0, fastterm_period_ms);
	return 0;
}
late_initcall_sync(no_watchdog);

static unsigned int period_before;

static int watchdog_init(struct kunit *test)
{
	int err = ftk_requester_init(test);

	if (err)
		return err;
	period_before = fastterm_period_ms;
	atomic_set(&seen.nr, 0);
	atomic64_set(&seen.least_ns, S64_MAX);
	atomic64_set(&seen.most_ns, 0);
	return register_trace_bpf_fastterm_overrun(see, NULL);
}

static void watchdog_exit(struct kunit *test)
{
	if (!fastterm_supported() || num_online_cpus() < 2)
		return;
	watch(0, period_before);
	unregister_trace_bpf_fastterm_overrun(see, NULL);
	tracepoint_synchronize_unregister();
	ftk_requester_exit(test);
}

static int terminations(const struct bpf_prog *prog)
{
	return atomic_read(&prog->aux->fastterm.terminations);
}

/* Wait until a runner has ended, which it does not by itself. */
static bool wait_for(const struct ftk_runner *r)
{
	unsigned long end = jiffies + FTK_PATIENCE;

	/* Pairs with the release at the end of its thread. */
	while (!smp_load_acquire(&r->done)) {
		if (time_after(jiffies, end))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

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
	u32 flags;
	void (*prepare)(struct kunit *test, struct ftk_shape *shape);
} runaways[] = {
	{ "loops", BPF_PROG_TYPE_TRACEPOINT, 0, shape_inlined },
	{ "callbacks of helpers", BPF_PROG_TYPE_TRACEPOINT, 0, shape_callbacks },
	{ "fifty references", BPF_PROG_TYPE_TRACEPOINT, 0, shape_things },
	{ "interrupts off", BPF_PROG_TYPE_SCHED_CLS, 0, shape_locked },
};

KUNIT_ARRAY_PARAM_DESC(runaways, runaways, name);

/* It is terminated once, and not before it has run for as long as it may. */
static void watchdog_runaway(struct kunit *test)
{
	const struct runaway *c = test->param_value;
	const struct ftk_opts opts = { .type = c->type, .flags = c->flags };
	struct ftk_shape shape = { .body = FTK_SNIPPET(body_helper) };
	const s64 things = atomic_read(&ftk_things);
	struct ftk_runner *r;

	c->prepare(test, &shape);
	r = ftk_runner(test, &shape, &opts);
	r->once = true;
	watch(BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, r, 1);
	KUNIT_EXPECT_TRUE(test, wait_for(r));
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, terminations(r->prog), 1);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
	KUNIT_EXPECT_EQ(test, things, atomic_read(&ftk_things));
	KUNIT_EXPECT_EQ(test, atomic_read(&seen.nr), 1);
	KUNIT_EXPECT_GE(test, atomic64_read(&seen.least_ns), BUDGET_MS * NSEC_PER_MSEC);
	/* What a sample adds is bounded, so that this holds on any machine. */
	KUNIT_EXPECT_LE(test, atomic64_read(&seen.most_ns),
			(BUDGET_MS + 2 * PERIOD_MS) * NSEC_PER_MSEC);
}

/* The next line of the kernel's log that tells of a program. */
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
	struct seq_file m = { .size = PAGE_SIZE };

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	KUNIT_ASSERT_NOT_NULL(test, file);
	file->f_op->show_fdinfo(&m, file);
	fput(file);
	m.buf[min(m.count, m.size - 1)] = 0;
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(m.buf, line), "%s", m.buf);
}

/* Who looks into the log, or at the program, is told what has happened. */
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
	kmsg_dump_rewind(&iter);
	r->once = true;
	watch(BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, r, 1);
	KUNIT_EXPECT_TRUE(test, wait_for(r));
	ftk_runner_end(test, r);
	expect_fdinfo(test, r->prog, "fastterm_terminations:\t1\n");
	KUNIT_ASSERT_TRUE_MSG(test, find_line(&iter, begin, line, size), "%s", begin);
	rest = strstr(line, begin) + strlen(begin);
	found = sscanf(rest, "%u ms on CPU %u: terminated, %u frames, %u kicks", &ms, &cpu,
		       &frames, &kicks);
	KUNIT_EXPECT_EQ_MSG(test, found, 4, "%s", line);
	KUNIT_EXPECT_NOT_NULL(test, strstr(rest, "raise kernel.bpf_fastterm_budget_ms"));
	KUNIT_EXPECT_GE(test, ms, BUDGET_MS);
	KUNIT_EXPECT_EQ(test, cpu, 1);
	KUNIT_EXPECT_GE(test, frames, 1);
	KUNIT_EXPECT_GE(test, kicks, 1);
}

/* What a program is attached to, to be entered through a trampoline. */
static noinline __noclone int ftk_traced(int value)
{
	barrier_data(&value);
	return value;
}

static int call_traced(void *done)
{
	int value = ftk_traced(1);

	complete(done);
	return value - 1;
}

/*
 * In a thread of the kernel's, whose stack has the trampoline on it and no way out. If
 * it were not terminated it would come back after 2^23 turns.
 */
static void watchdog_trampoline(struct kunit *test)
{
	const struct ftk_shape shape = { 1, .body = FTK_SNIPPET(body_helper) };
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.func = "ftk_traced",
	};
	DECLARE_COMPLETION_ONSTACK(done);
	struct task_struct *other;
	struct bpf_prog *prog;

	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		kunit_skip(test, "no ftrace direct calls: no trampolines for functions");
	prog = ftk_runner(test, &shape, &opts)->prog;
	ftk_attach(test, prog);
	watch(BUDGET_MS, PERIOD_MS);
	other = kthread_run_on_cpu(call_traced, &done, 1, "ftk_traced/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	wait_for_completion(&done);
	KUNIT_EXPECT_EQ(test, terminations(prog), 1);
}

/* Every CPU at once, that of the test's included: nobody is left to help. */
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
	watch(BUDGET_MS, PERIOD_MS);
	for_each_online_cpu(cpu)
		ftk_runner_start(test, r[cpu], cpu);
	for_each_online_cpu(cpu) {
		KUNIT_EXPECT_TRUE(test, wait_for(r[cpu]));
		ftk_runner_end(test, r[cpu]);
		KUNIT_EXPECT_EQ(test, terminations(r[cpu]->prog), 1);
		KUNIT_EXPECT_EQ(test, r[cpu]->broken, 0);
	}
}

/**
 * struct ticking - a timer that runs a program
 * @timer: the timer, whose function runs in a softirq
 * @prog: the program
 * @broken: what ftk_run_guarded() says
 * @done: it has returned
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
	/* Whoever sees this sees the rest. */
	smp_store_release(&t->done, true);
	return HRTIMER_NORESTART;
}

static void start_ticking(void *data)
{
	struct ticking *t = data;

	hrtimer_start(&t->timer, 0, HRTIMER_MODE_REL_PINNED_SOFT);
}

/* In a softirq, which is where timers run, and packets are received. */
static void watchdog_softirq(struct kunit *test)
{
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body_helper) };
	struct ticking *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned long end = jiffies + FTK_PATIENCE;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->prog = ftk_runner(test, &shape, NULL)->prog;
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
	t->timer.function = tick;
	watch(BUDGET_MS, PERIOD_MS);
	KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(1, start_ticking, t, true));
	/* Pairs with the release at its end. */
	while (!smp_load_acquire(&t->done) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_TRUE(test, t->done);
	hrtimer_cancel(&t->timer);
	KUNIT_EXPECT_EQ(test, terminations(t->prog), 1);
	KUNIT_EXPECT_EQ(test, t->broken, 0);
}

/**
 * struct masked - a program that runs where its caller takes no interrupts
 * @prog: the program
 * @ctx: its context, as struct ftk_shape wants it
 * @broken: what ftk_run_guarded() says
 * @cpu: where it is to run, in an NMI
 * @ran: it has begun to
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
 * In an interrupt: an NMI ends it, or where there is none, the kernel calls its callbacks
 * no more. If neither happens, this does not come back.
 */
static void watchdog_masked(struct kunit *test)
{
	const struct ftk_shape shape = { 4, true, .body = FTK_SNIPPET(body_helper) };
	struct masked *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->prog = ftk_runner(test, &shape, NULL)->prog;
	watch(BUDGET_MS, PERIOD_MS);
	KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(1, run_masked, m, true));
	KUNIT_EXPECT_EQ(test, m->broken, 0);
	KUNIT_EXPECT_LE(test, terminations(m->prog), 1);
	kunit_info(test, "%s\n", terminations(m->prog) ? "terminated by an NMI" :
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

/* Visits itself: by an NMI, where there are any. */
static void send_nmi(void *data)
{
	const struct masked *m = data;
	unsigned long i;

	fastterm_visit(m->cpu, true);
	for (i = 0; i < 1000000 && !READ_ONCE(m->ran); i++)
		cpu_relax();
}

static void put_visitor(void *visitor)
{
	fastterm_visit_by(visitor);
}

/* Nothing interrupts an NMI: its neighbour has the kernel call its callbacks no more. */
static void watchdog_in_nmi(struct kunit *test)
{
	const struct ftk_shape shape = { 4, true, .body = FTK_SNIPPET(body_helper) };
	struct masked *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->prog = ftk_runner(test, &shape, NULL)->prog;
	m->cpu = 1;
	masked_in_nmi = m;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_visitor,
							   fastterm_visit_by(run_in_nmi)));
	watch(BUDGET_MS, PERIOD_MS);
	KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(1, send_nmi, m, true));
	if (!m->ran)
		kunit_skip(test, "no NMI on this machine");
	KUNIT_EXPECT_EQ(test, m->broken, 0);
	/* It has not been redirected. */
	KUNIT_EXPECT_EQ(test, terminations(m->prog), 0);
}

/* Sleepable programs have a budget of their own. */
static void watchdog_sleepable(struct kunit *test)
{
	const struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body_helper) };
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_SYSCALL,
		.flags = BPF_F_SLEEPABLE,
	};
	const struct bpf_prog *prog = ftk_runner(test, &shape, &opts)->prog;
	static const u64 ctx[MAX_BPF_FUNC_ARGS];

	watch(BUDGET_MS, PERIOD_MS);
	WRITE_ONCE(fastterm_budget_ms, 1);
	ftk_run(prog, ctx);
	KUNIT_EXPECT_EQ(test, terminations(prog), 1);
	KUNIT_EXPECT_GE(test, atomic64_read(&seen.least_ns), 2 * BUDGET_MS * NSEC_PER_MSEC);
}

static void run_in_loop(struct kunit *test, const struct bpf_prog *prog)
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	u32 i;

	for (i = 0; i < NR_ACTIVATIONS; i++) {
		migrate_disable();
		rcu_read_lock();
		bpf_prog_run(prog, ctx);
		rcu_read_unlock();
		migrate_enable();
		if (!(i % 1024))
			cond_resched();
	}
}

/* As a driver does it when packets come in: in a softirq, one behind the other. */
static void run_on_packets(struct kunit *test, const struct bpf_prog *prog)
{
	struct xdp_rxq_info rxq = {};
	void *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct xdp_buff xdp;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	xdp_init_buff(&xdp, PAGE_SIZE, &rxq);
	xdp_prepare_buff(&xdp, page, XDP_PACKET_HEADROOM, ETH_ZLEN, false);
	local_bh_disable();
	for (i = 0; i < NR_ACTIVATIONS; i++) {
		rcu_read_lock();
		bpf_prog_run_xdp(prog, &xdp);
		rcu_read_unlock();
		if (!(i % 1024)) {
			local_bh_enable();
			cond_resched();
			local_bh_disable();
		}
	}
	local_bh_enable();
}

/* Three turns of two loops: long enough to be hit by most samples. */
static const struct bpf_insn short_program[] = {
	BPF_MOV64_IMM(BPF_REG_1, 3),
	BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
	BPF_MOV64_IMM(BPF_REG_3, 0),
	BPF_MOV64_IMM(BPF_REG_4, 0),
	FTK_CALL(BPF_FUNC_loop),
	BPF_MOV64_IMM(BPF_REG_0, XDP_PASS),
	BPF_EXIT_INSN(),
	FTK_CALL(BPF_FUNC_ktime_get_ns),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
};

static struct bpf_prog *load_short(struct kunit *test, enum bpf_prog_type type)
{
	const struct ftk_opts opts = { .type = type };

	return ftk_load(test, short_program, ARRAY_SIZE(short_program), &opts);
}

/* Two activations in a row are two activations. */
static void expect_innocent(struct kunit *test, const struct bpf_prog *prog)
{
	KUNIT_EXPECT_EQ(test, terminations(prog), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&seen.nr), 0);
}

static void watchdog_loop(struct kunit *test)
{
	struct bpf_prog *prog = load_short(test, BPF_PROG_TYPE_TRACEPOINT);

	watch(BUDGET_MS, 1);
	run_in_loop(test, prog);
	expect_innocent(test, prog);
}

static void watchdog_packets(struct kunit *test)
{
	struct bpf_prog *prog = load_short(test, BPF_PROG_TYPE_XDP);

	watch(BUDGET_MS, 1);
	run_on_packets(test, prog);
	expect_innocent(test, prog);
}

/* Reached by a tail call, from a program that ends with it. */
static void watchdog_tail_called(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	const struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct bpf_prog *to = load_short(test, BPF_PROG_TYPE_TRACEPOINT);
	struct bpf_prog *from = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
	const u32 key = 0, fd = ftk_prog_fd(test, to);

	ftk_map_update(test, &m, &key, &fd);
	watch(BUDGET_MS, 1);
	run_in_loop(test, from);
	expect_innocent(test, from);
	expect_innocent(test, to);
}

/* On a function that is hot, entered through a trampoline. */
static void watchdog_traces(struct kunit *test)
{
	struct bpf_prog *hot = load_short(test, BPF_PROG_TYPE_TRACEPOINT);
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.target = hot,
	};
	struct bpf_insn insns[ARRAY_SIZE(short_program)];
	struct bpf_prog *prog;

	memcpy(insns, short_program, sizeof(insns));
	insns[6].imm = 0;
	prog = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
	ftk_attach(test, prog);
	watch(BUDGET_MS, 1);
	run_in_loop(test, hot);
	expect_innocent(test, hot);
	expect_innocent(test, prog);
}

static void free_event(void *event)
{
	perf_event_release_kernel(event);
}

/* Attach a program to the beginning of a function, as libbpf does it. */
static void attach_kprobe(struct kunit *test, struct bpf_prog *prog, const void *func)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.kprobe_addr = ftk_probed((unsigned long)func),
	};
	struct perf_event *event;
	char type[16];
	int err;

	ftk_read(test, ftk_open(test, "sysfs", "bus/event_source/devices/kprobe/type"), type,
		 sizeof(type));
	err = kstrtou32(strim(type), 10, &attr.type);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "%s", type);
	event = perf_event_create_kernel_counter(&attr, -1, current, NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, event);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_event, event));
	bpf_prog_inc(prog);
	KUNIT_ASSERT_EQ(test, 0, perf_event_set_bpf_prog(event, prog, 0));
}

/* On a function that is hot, by a kprobe. */
static void watchdog_probes(struct kunit *test)
{
	struct ftk_map counts = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct bpf_insn insns[ARRAY_SIZE(short_program) + 5] = {
		BPF_LD_IMM64_RAW(BPF_REG_1, BPF_PSEUDO_MAP_VALUE, counts.fd),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_0, 0),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_KPROBE };
	struct bpf_prog *prog;
	const u32 key = 0;
	u64 runs = 0;
	u32 i;

	memcpy(&insns[5], short_program, sizeof(short_program));
	insns[5 + 6].imm = 0;
	prog = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
	attach_kprobe(test, prog, ftk_traced);
	watch(BUDGET_MS, 1);
	for (i = 0; i < NR_ACTIVATIONS; i++) {
		ftk_traced(i);
		if (!(i % 1024))
			cond_resched();
	}
	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(&counts, &key, &runs));
	KUNIT_EXPECT_EQ(test, runs, NR_ACTIVATIONS);
	expect_innocent(test, prog);
}

/* Healthy programs and runaways, everywhere, all at the same time. */
static void watchdog_mixed(struct kunit *test)
{
	const s64 things = atomic_read(&ftk_things);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	const u32 seed = get_random_u32(), nr = num_online_cpus();
	struct ftk_shape shape = { 3, .body = FTK_SNIPPET(body_helper) };
	unsigned long end = jiffies + 12 * FTK_PATIENCE;
	struct bpf_prog *healthy = load_short(test, BPF_PROG_TYPE_TRACEPOINT);
	struct ftk_runner *good, *bad[4];
	u32 i, cpu, stopped = 0;
	struct rnd_state rnd;
	u64 runs = 0;

	prandom_seed_state(&rnd, seed);
	ftk_hold_things(test, &shape);
	good = kunit_kcalloc(test, nr, sizeof(*good), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, good);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = ftk_runner(test, &shape, &opts);
	watch(BUDGET_MS / 2, PERIOD_MS);
	for (cpu = 0; cpu < nr; cpu++) {
		good[cpu].prog = healthy;
		good[cpu].expected = XDP_PASS;
		ftk_runner_start(test, &good[cpu], cpu);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ftk_runner_start(test, bad[i], prandom_u32_state(&rnd) % nr);
	while (runs < NR_ACTIVATIONS && time_before(jiffies, end)) {
		schedule_timeout_uninterruptible(HZ / 10);
		for (runs = 0, cpu = 0; cpu < nr; cpu++)
			runs += READ_ONCE(good[cpu].runs);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		WRITE_ONCE(bad[i]->stop, true);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_TRUE(test, wait_for(bad[i]));
		ftk_runner_end(test, bad[i]);
		stopped += terminations(bad[i]->prog);
		KUNIT_EXPECT_EQ(test, terminations(bad[i]->prog), bad[i]->runs);
		KUNIT_EXPECT_EQ(test, bad[i]->broken, 0);
	}
	for (cpu = 0; cpu < nr; cpu++) {
		WRITE_ONCE(good[cpu].stop, true);
		KUNIT_EXPECT_TRUE(test, wait_for(&good[cpu]));
		ftk_runner_end(test, &good[cpu]);
		KUNIT_EXPECT_EQ(test, good[cpu].broken, 0);
		KUNIT_EXPECT_EQ(test, good[cpu].wrong, 0);
	}
	kunit_info(test, "seed %u: %llu activations that were left alone, %u that were terminated\n",
		   seed, runs, stopped);
	KUNIT_EXPECT_GE(test, runs, NR_ACTIVATIONS);
	KUNIT_EXPECT_GE(test, stopped, ARRAY_SIZE(bad));
	KUNIT_EXPECT_EQ(test, terminations(healthy), 0);
	KUNIT_EXPECT_EQ(test, things, atomic_read(&ftk_things));
}

static void write_value(struct kunit *test, const char *fs, const char *name,
			const char *text)
{
	KUNIT_ASSERT_EQ_MSG(test, ftk_write(test, ftk_open(test, fs, name), text),
			    strlen(text), "%s", name);
}

/**
 * struct stalling - somebody who keeps a CPU, and is no program
 * @ms: for how long
 * @begun: it has begun
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

/* RCU waits for it, and so do we. */
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

/* What is no program is none of the watchdog's business, and still somebody else's. */
static void watchdog_others(struct kunit *test)
{
	watch(BUDGET_MS, PERIOD_MS);
	pr_info("# expect splat: soft lockup\n");
	write_value(test, "proc", "sys/kernel/watchdog_thresh", "1\n");
	stall_for(test, 4 * MSEC_PER_SEC);
	write_value(test, "proc", "sys/kernel/watchdog_thresh", "10\n");
	pr_info("# expect splat: rcu: INFO: rcu_\\w+ (self-)?detected\n");
	write_value(test, "sysfs", "module/rcupdate/parameters/rcu_cpu_stall_timeout", "3\n");
	/* Lockdep's RCU gives everybody five seconds more. */
	stall_for(test, (IS_ENABLED(CONFIG_PROVE_RCU) ? 10 : 5) * MSEC_PER_SEC);
	write_value(test, "sysfs", "module/rcupdate/parameters/rcu_cpu_stall_timeout", "21\n");
	pr_info("# expect splat: end\n");
	KUNIT_EXPECT_EQ(test, atomic_read(&seen.nr), 0);
}

static struct kunit_case watchdog_cases[] = {
	KUNIT_CASE(watchdog_sysctls),
	KUNIT_CASE(watchdog_log),
	KUNIT_CASE_PARAM(watchdog_runaway, runaways_gen_params),
	KUNIT_CASE(watchdog_trampoline),
	KUNIT_CASE(watchdog_all_stuck),
	KUNIT_CASE(watchdog_softirq),
	KUNIT_CASE(watchdog_masked),
	KUNIT_CASE(watchdog_in_nmi),
	KUNIT_CASE(watchdog_sleepable),
	KUNIT_CASE_SLOW(watchdog_loop),
	KUNIT_CASE_SLOW(watchdog_packets),
	KUNIT_CASE_SLOW(watchdog_tail_called),
	KUNIT_CASE_SLOW(watchdog_traces),
	KUNIT_CASE_SLOW(watchdog_probes),
	KUNIT_CASE_SLOW(watchdog_mixed),
	KUNIT_CASE_SLOW(watchdog_others),
	{}
};

static struct kunit_suite watchdog_suite = {
	.name = "fastterm_watchdog",
	.init = watchdog_init,
	.exit = watchdog_exit,
	.test_cases = watchdog_cases,
};

kunit_test_suite(watchdog_suite);
