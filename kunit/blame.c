// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is blamed
 *
 * Three programs are nested: the outer one calls a function to which the middle one is
 * attached, and that one calls a function to which the inner one is attached. Whichever of them
 * runs away, it alone is terminated.
 */

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/processor.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include <kunit/test.h>

#include "../events.h"
#include "../program.h"
#include "../trace.h"
#include "attach.h"
#include "kfuncs.h"
#include "prog.h"
#include "runaway.h"
#include "watch.h"

/* Less than the time that FTK_BUDGET_MS is, and more than a program takes to be called. */
#define HEALTHY_TURNS	1000

/* How often the outer program calls the middle one: each time that runs away, and is terminated. */
#define CALLS		2

#define PERIOD_MS	2

enum place {
	OUTER,
	MIDDLE,
	INNER,
	NR_PLACES,
};

static struct fastterm_overrun last;
static atomic_t nr_strikes, nr_others;

static void see(void *unused, const struct fastterm_overrun *overrun, int cpu)
{
	atomic_inc(overrun->own ? &nr_strikes : &nr_others);
	/* Programs run on one CPU only. */
	last = *overrun;
}

static int blame_init(struct kunit *test)
{
	int err = ftk_watch_init(test);

	if (err)
		return err;
	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		kunit_skip(test, "no ftrace direct calls: no trampolines for functions");
	atomic_set(&nr_strikes, 0);
	atomic_set(&nr_others, 0);
	memset(&last, 0, sizeof(last));
	return register_trace_bpf_fastterm_overrun(see, NULL);
}

static void blame_exit(struct kunit *test)
{
	WRITE_ONCE(ftk_on_put, NULL);
	if (IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		unregister_trace_bpf_fastterm_overrun(see, NULL);
	ftk_watch_exit(test);
}

/**
 * struct nest - three programs
 * @outer: runs the outer one on the second CPU
 * @prog: the programs
 */
struct nest {
	struct ftk_runner *outer;
	struct bpf_prog *prog[NR_PLACES];
};

static struct bpf_prog *attached(struct kunit *test, const char *func,
				 const struct ftk_shape *shape)
{
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.func = func,
	};
	struct bpf_prog *prog = ftk_runner(test, shape, &opts)->prog;

	ftk_attach(test, prog);
	return prog;
}

/* Load and attach three programs, of which each calls the next one in so many @turns. */
static void build(struct kunit *test, struct nest *n, enum bpf_prog_type type,
		  const u32 turns[NR_PLACES])
{
	const struct bpf_insn call_middle[] = { ftk_kfunc(test, "ftk_thing_count") };
	const struct bpf_insn call_inner[] = { ftk_kfunc(test, "ftk_guarded") };
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape outer = {
		1, .iterations = turns[OUTER], .body = FTK_SNIPPET(call_middle),
	};
	const struct ftk_shape middle = {
		1, .iterations = turns[MIDDLE], .body = FTK_SNIPPET(call_inner),
	};
	const struct ftk_shape inner = {
		1, .iterations = turns[INNER], .body = FTK_SNIPPET(body),
	};
	const struct ftk_opts opts = { .type = type };

	n->outer = ftk_runner(test, &outer, &opts);
	n->outer->once = true;
	n->prog[OUTER] = n->outer->prog;
	n->prog[MIDDLE] = attached(test, "ftk_thing_count", &middle);
	n->prog[INNER] = attached(test, "ftk_guarded", &inner);
}

static void run(struct kunit *test, struct nest *n)
{
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, n->outer, 1);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(n->outer));
	ftk_runner_end(test, n->outer);
	KUNIT_EXPECT_EQ(test, n->outer->broken, 0);
}

static const struct who {
	const char *name;
	enum bpf_prog_type type;
	enum place place;
} whos[] = {
	{ "the outer program, on a tracepoint", BPF_PROG_TYPE_TRACEPOINT, OUTER },
	{ "the middle program, under one on a tracepoint", BPF_PROG_TYPE_TRACEPOINT, MIDDLE },
	{ "the inner program, under one on a tracepoint", BPF_PROG_TYPE_TRACEPOINT, INNER },
	{ "the outer program, for packets", BPF_PROG_TYPE_SCHED_CLS, OUTER },
	{ "the middle program, under one for packets", BPF_PROG_TYPE_SCHED_CLS, MIDDLE },
	{ "the inner program, under one for packets", BPF_PROG_TYPE_SCHED_CLS, INNER },
};

KUNIT_ARRAY_PARAM_DESC(whos, whos, name);

static void blame_runaway(struct kunit *test)
{
	const struct who *who = test->param_value;
	u32 turns[NR_PLACES] = { CALLS, 1, 1 };
	u32 place, expected;
	struct nest n;

	/* More than it gets through in its budget. */
	turns[who->place] = FTK_FOREVER;
	build(test, &n, who->type, turns);
	run(test, &n);
	expected = who->place == OUTER ? 1 : CALLS;
	for (place = OUTER; place < NR_PLACES; place++)
		KUNIT_EXPECT_EQ_MSG(test, ftk_terminations(n.prog[place]),
				    place == who->place ? expected : 0, "program %u", place);
	KUNIT_EXPECT_EQ(test, atomic_read(&ftk_blamed.nr), expected);
	KUNIT_EXPECT_EQ(test, last.id, n.prog[who->place]->aux->id);
}

/* A program that has the runaway again and again is not spared for ever. */
static void blame_spared(struct kunit *test)
{
	const u32 turns[NR_PLACES] = { FTK_FOREVER, 1, FTK_FOREVER };
	struct nest n;

	build(test, &n, BPF_PROG_TYPE_TRACEPOINT, turns);
	run(test, &n);
	KUNIT_EXPECT_EQ(test, ftk_terminations(n.prog[OUTER]), 1);
	KUNIT_EXPECT_GE(test, ftk_terminations(n.prog[INNER]), 3);
	KUNIT_EXPECT_LE(test, ftk_terminations(n.prog[INNER]), 6);
	/* The outer one has left last, and the log names who took its time. */
	KUNIT_EXPECT_EQ(test, last.id, n.prog[OUTER]->aux->id);
	KUNIT_EXPECT_FALSE(test, last.own);
	KUNIT_EXPECT_EQ(test, last.nested_id, n.prog[INNER]->aux->id);
	KUNIT_EXPECT_LE(test, last.own_ns, FTK_BUDGET_MS * NSEC_PER_MSEC);
}

/* Who calls a healthy program very often is terminated, but it has not taken the time itself. */
static void blame_healthy(struct kunit *test)
{
	const u32 turns[NR_PLACES] = { FTK_FOREVER, 1, HEALTHY_TURNS };
	struct nest n;

	build(test, &n, BPF_PROG_TYPE_TRACEPOINT, turns);
	run(test, &n);
	KUNIT_EXPECT_EQ(test, ftk_terminations(n.prog[OUTER]), 1);
	KUNIT_EXPECT_EQ(test, ftk_terminations(n.prog[MIDDLE]), 0);
	KUNIT_EXPECT_EQ(test, ftk_terminations(n.prog[INNER]), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_strikes), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_others), 1);
	KUNIT_EXPECT_EQ(test, last.nested_id, n.prog[INNER]->aux->id);
	KUNIT_EXPECT_STREQ(test, last.nested_name, n.prog[INNER]->aux->name);
}

/* How long the short program takes before it calls the other one, in ns: many samples see it. */
#define BEFORE_NS	(FTK_BUDGET_MS * NSEC_PER_MSEC / 4)

static void take_a_while(void)
{
	const u64 end = ktime_get_mono_fast_ns() + BEFORE_NS;

	while (ktime_get_mono_fast_ns() < end)
		cpu_relax();
}

/*
 * A program without a stub image has been seen for longer than what is nested in it and runs away.
 * It is not blamed before the other one has used up its own budget.
 */
static void blame_short(struct kunit *test)
{
	const u32 turns[NR_PLACES] = { 1, 1, FTK_FOREVER };
	const struct bpf_insn insns[] = {
		ftk_kfunc(test, "ftk_thing_get"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		ftk_kfunc(test, "ftk_thing_put"),
		ftk_kfunc(test, "ftk_guarded"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct nest n;

	build(test, &n, BPF_PROG_TYPE_TRACEPOINT, turns);
	n.outer->prog = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
	KUNIT_ASSERT_NULL(test, fastterm_of(n.outer->prog)->images);
	WRITE_ONCE(ftk_on_put, take_a_while);
	run(test, &n);
	KUNIT_EXPECT_EQ(test, ftk_terminations(n.outer->prog), 0);
	KUNIT_EXPECT_EQ(test, ftk_terminations(n.prog[INNER]), 1);
	KUNIT_EXPECT_EQ(test, last.id, n.prog[INNER]->aux->id);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_strikes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_others), 0);
}

static struct kunit_case blame_cases[] = {
	KUNIT_CASE_PARAM(blame_runaway, whos_gen_params),
	KUNIT_CASE(blame_spared),
	KUNIT_CASE(blame_healthy),
	KUNIT_CASE(blame_short),
	{}
};

static struct kunit_suite blame_suite = {
	.name = "fastterm_blame",
	.init = blame_init,
	.exit = blame_exit,
	.test_cases = blame_cases,
};

kunit_test_suite(blame_suite);
