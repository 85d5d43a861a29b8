// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that the watchdog must not terminate
 *
 * A program that runs again and again, each time for a moment, has many short activations. The
 * watchdog may not take them for one long activation, however often it samples them.
 */

#include <linux/atomic.h>
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include <net/xdp.h>

#include <kunit/test.h>

#include "../program.h"
#include "../quarantine.h"
#include "attach.h"
#include "kfuncs.h"
#include "map.h"
#include "prog.h"
#include "runaway.h"
#include "watch.h"

/* How often a program is run at least, and how often in one batch. */
#define NR_ACTIVATIONS	(IS_ENABLED(CONFIG_KASAN) ? 100000 : 1000000)
#define NR_BATCH	1024

/*
 * Run batches for ten budgets at least: a single activation of this length would be terminated.
 * Returns the number of runs.
 */
static u32 run(void (*batch)(void *what), void *what)
{
	unsigned long end = jiffies + 10 * msecs_to_jiffies(FTK_BUDGET_MS);
	u32 nr;

	ftk_watch(FTK_BUDGET_MS, 1);
	for (nr = 0; nr < NR_ACTIVATIONS || time_before(jiffies, end); nr += NR_BATCH) {
		batch(what);
		cond_resched();
	}
	return nr;
}

/**
 * struct hot - a program that is run very often
 * @prog: the program
 * @wrong: how many of its results were not XDP_PASS
 * @rxq: receive queue of @xdp
 * @xdp: packet for XDP programs
 */
struct hot {
	struct bpf_prog *prog;
	u32 wrong;
	struct xdp_rxq_info rxq;
	struct xdp_buff xdp;
};

static void by_call(void *what)
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	struct hot *hot = what;
	u32 i;

	for (i = 0; i < NR_BATCH; i++) {
		migrate_disable();
		rcu_read_lock();
		hot->wrong += bpf_prog_run(hot->prog, ctx) != XDP_PASS;
		rcu_read_unlock();
		migrate_enable();
	}
}

/* Run an XDP program on packets in a row, with softirqs disabled, as a driver does. */
static void by_packet(void *what)
{
	struct hot *hot = what;
	u32 i;

	local_bh_disable();
	for (i = 0; i < NR_BATCH; i++) {
		rcu_read_lock();
		hot->wrong += bpf_prog_run_xdp(hot->prog, &hot->xdp) != XDP_PASS;
		rcu_read_unlock();
	}
	local_bh_enable();
}

/* The program has neither been terminated nor reported. */
static void expect_innocent(struct kunit *test, const struct bpf_prog *prog)
{
	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&ftk_blamed.nr), 0);
}

static void innocent_loop(struct kunit *test)
{
	struct hot hot = { .prog = ftk_load_short(test, BPF_PROG_TYPE_TRACEPOINT) };

	run(by_call, &hot);
	KUNIT_EXPECT_EQ(test, hot.wrong, 0);
	expect_innocent(test, hot.prog);
}

static void innocent_packets(struct kunit *test)
{
	struct hot hot = { .prog = ftk_load_short(test, BPF_PROG_TYPE_XDP) };
	void *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	xdp_init_buff(&hot.xdp, PAGE_SIZE, &hot.rxq);
	xdp_prepare_buff(&hot.xdp, page, XDP_PACKET_HEADROOM, ETH_ZLEN, false);
	run(by_packet, &hot);
	KUNIT_EXPECT_EQ(test, hot.wrong, 0);
	expect_innocent(test, hot.prog);
}

/* The program is reached by a tail call, from a program that does nothing else. */
static void innocent_tail_called(struct kunit *test)
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
	struct bpf_prog *to = ftk_load_short(test, BPF_PROG_TYPE_TRACEPOINT);
	struct hot from = { .prog = ftk_load(test, insns, ARRAY_SIZE(insns), &opts) };
	const u32 key = 0, fd = ftk_prog_fd(test, to);

	ftk_map_update(test, &m, &key, &fd);
	run(by_call, &from);
	/* The program that makes the tail call would return 0. */
	KUNIT_EXPECT_EQ(test, from.wrong, 0);
	expect_innocent(test, from.prog);
	expect_innocent(test, to);
}

/* A program that counts its runs. */
static struct bpf_prog *load_counting(struct kunit *test, const struct ftk_map *counts,
				      const struct ftk_opts *opts)
{
	struct bpf_insn insns[FTK_COUNT_LEN + FTK_SHORT_LEN];

	ftk_count(insns, counts);
	ftk_short(&insns[FTK_COUNT_LEN], 0);
	return ftk_load(test, insns, ARRAY_SIZE(insns), opts);
}

static void expect_count(struct kunit *test, const struct ftk_map *counts, u64 expected)
{
	const u32 key = 0;
	u64 runs = 0;

	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(counts, &key, &runs));
	KUNIT_EXPECT_EQ(test, runs, expected);
}

/* A program on the entry of a hot function, entered through a trampoline. */
static void innocent_traces(struct kunit *test)
{
	struct ftk_map counts = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct hot hot = { .prog = ftk_load_short(test, BPF_PROG_TYPE_TRACEPOINT) };
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.target = hot.prog,
	};
	struct bpf_prog *prog = load_counting(test, &counts, &opts);

	ftk_attach(test, prog);
	expect_count(test, &counts, run(by_call, &hot));
	KUNIT_EXPECT_EQ(test, hot.wrong, 0);
	expect_innocent(test, hot.prog);
	expect_innocent(test, prog);
}

static noinline __noclone int ftk_hot(int value)
{
	barrier_data(&value);
	return value;
}

static void by_probe(void *unused)
{
	u32 i;

	for (i = 0; i < NR_BATCH; i++)
		ftk_hot(i);
}

/* A program on a hot function, entered by a kprobe. */
static void innocent_probes(struct kunit *test)
{
	struct ftk_map counts = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_KPROBE };
	struct bpf_prog *prog = load_counting(test, &counts, &opts);

	ftk_attach_kprobe(test, prog, ftk_probed((unsigned long)ftk_hot));
	expect_count(test, &counts, run(by_probe, NULL));
	expect_innocent(test, prog);
}

static const struct bpf_insn body_helper[] = {
	FTK_CALL(BPF_FUNC_get_current_uid_gid),
};

/* Healthy programs and runaways on all CPUs at the same time. */
static void innocent_mixed(struct kunit *test)
{
	const s64 things = atomic_read(&ftk_things);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	const u32 seed = get_random_u32(), nr = num_online_cpus();
	struct ftk_shape shape = { 3, .body = FTK_SNIPPET(body_helper) };
	unsigned long end = jiffies + 12 * FTK_PATIENCE;
	struct bpf_prog *healthy = ftk_load_short(test, BPF_PROG_TYPE_TRACEPOINT);
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
	ftk_watch(FTK_BUDGET_MS / 2, 2);
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
		KUNIT_EXPECT_TRUE(test, ftk_runner_left(bad[i]));
		ftk_runner_end(test, bad[i]);
		stopped += ftk_terminations(bad[i]->prog);
		KUNIT_EXPECT_EQ(test, ftk_terminations(bad[i]->prog), bad[i]->runs);
		KUNIT_EXPECT_EQ(test, bad[i]->broken, 0);
	}
	for (cpu = 0; cpu < nr; cpu++) {
		WRITE_ONCE(good[cpu].stop, true);
		KUNIT_EXPECT_TRUE(test, ftk_runner_left(&good[cpu]));
		ftk_runner_end(test, &good[cpu]);
		KUNIT_EXPECT_EQ(test, good[cpu].broken, 0);
		KUNIT_EXPECT_EQ(test, good[cpu].wrong, 0);
	}
	kunit_info(test, "seed %u: %llu activations that were left alone, %u that were terminated\n",
		   seed, runs, stopped);
	KUNIT_EXPECT_GE(test, runs, NR_ACTIVATIONS);
	KUNIT_EXPECT_GE(test, stopped, ARRAY_SIZE(bad));
	KUNIT_EXPECT_EQ(test, ftk_terminations(healthy), 0);
	KUNIT_EXPECT_EQ(test, things, atomic_read(&ftk_things));
}

/* Long enough that a machine which stands still for a moment makes no difference. */
#define LONG_BUDGET_MS	(10 * FTK_BUDGET_MS)

/* A program that takes so much of its budget, and then tail-calls a runaway. */
static const struct tail {
	const char *name;
	u32 percent;
} tails[] = {
	{ "the calling program took most of the time", 80 },
	{ "the called program took most of the time", 20 },
};

KUNIT_ARRAY_PARAM_DESC(tails, tails, name);

/* A tail call does not hand on the time that the calling program took. */
static void innocent_tail(struct kunit *test)
{
	const struct tail *t = test->param_value;
	struct ftk_map progs = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	const struct bpf_insn body[] = {
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		/* It may go on for eight million turns, each of which takes a while. */
		BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 7, 0),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_ALU64_REG(BPF_SUB, BPF_REG_0, BPF_REG_7),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_0,
			    LONG_BUDGET_MS / 100 * t->percent * NSEC_PER_MSEC, -8),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_MAP_FD(BPF_REG_2, progs.fd),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_tail_call),
	};
	static const struct bpf_insn again[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape calling = { .body = FTK_SNIPPET(body) };
	const struct ftk_shape called = { 4, .body = FTK_SNIPPET(again) };
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct ftk_runner *r = ftk_runner(test, &calling, &opts);
	struct bpf_prog *to = ftk_runner(test, &called, &opts)->prog;
	const bool caller = t->percent > 50;
	const u32 key = 0, fd = ftk_prog_fd(test, to);

	ftk_map_update(test, &progs, &key, &fd);
	r->once = true;
	ftk_watch(LONG_BUDGET_MS, 2);
	ftk_runner_start(test, r, 1);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&fastterm_of(r->prog)->quarantine.nr), caller);
	KUNIT_EXPECT_EQ(test, atomic_read(&fastterm_of(to)->quarantine.nr), !caller);
}

static struct kunit_case innocent_cases[] = {
	KUNIT_CASE_SLOW(innocent_loop),
	KUNIT_CASE_SLOW(innocent_packets),
	KUNIT_CASE_SLOW(innocent_tail_called),
	KUNIT_CASE_PARAM(innocent_tail, tails_gen_params),
	KUNIT_CASE_SLOW(innocent_traces),
	KUNIT_CASE_SLOW(innocent_probes),
	KUNIT_CASE_SLOW(innocent_mixed),
	{}
};

static struct kunit_suite innocent_suite = {
	.name = "fastterm_innocent",
	.init = ftk_watch_init,
	.exit = ftk_watch_exit,
	.test_cases = innocent_cases,
};

kunit_test_suite(innocent_suite);
