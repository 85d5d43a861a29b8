// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stack traces of a program that has a tag
 *
 * A sample replaces the return address of a program's base frame. Unwinders have to find what
 * they would find without: from helpers and kernel functions that the program calls, from
 * interrupts, and from another CPU while the program sleeps. Nothing is terminated in this
 * suite.
 */
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/hrtimer.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <linux/stacktrace.h>

#include <asm/irq_regs.h>

#include <kunit/test.h>

#include "../activation.h"
#include "../compat.h"
#include "../watchdog.h"
#include "kfuncs.h"
#include "map.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"
#include "watch.h"

/* How long the programs run, in ms, and a budget that they do not reach. */
#define RUN_MS		60
#define BUDGET_MS	10000

/* The period of samples, and how often a program is run if its first trace came too late. */
#define PERIOD_MS	15
#define MAX_TRIES	5

/* More iterations than a program needs for RUN_MS, so that it ends soon after. */
#define NR_TURNS	20000

/* The interval of interrupts that unwind the stack, in ns. */
#define LOOK_NS		(500 * NSEC_PER_USEC)

#define DEPTH		48

/* Functions that unwind a stack. */
enum unwinder {
	SAVE,
	RELIABLE,
	PERF,
	UNWINDERS,
};

static const char *const names[] = {
	[SAVE] = "stack_trace_save",
	[RELIABLE] = "stack_trace_save_tsk_reliable",
	[PERF] = "get_perf_callchain",
};

static_assert(ARRAY_SIZE(names) == UNWINDERS);

/**
 * struct trace - a stack trace
 * @nr: number of @entries, or an error
 * @entries: the return addresses
 */
struct trace {
	int nr;
	unsigned long entries[DEPTH];
};

/**
 * struct seen - stack traces of a program
 * @deadline: until when traces are taken, in ns of the monotonic clock
 * @taken: how many times they have been taken
 * @tagged: how many times the program had a tag
 * @late: the program had a tag already when the first traces were taken
 * @unlike: number of traces that differed from the first ones
 * @whose: the unwinder that the last of these came from
 * @first: the first traces
 * @now: the last trace
 * @timer: takes traces in interrupts
 */
static struct seen {
	u64 deadline;
	u32 taken;
	u32 tagged;
	bool late;
	u32 unlike;
	const char *whose;
	struct trace first[UNWINDERS];
	struct trace now;
	struct hrtimer timer;
} seen;

/*
 * Find the tag on the current task's stack, above this address, or return NULL. A stale word on
 * the stack does not count as a tag. If @sp is an address on another stack, there is none.
 */
static noinline unsigned long *find_tag(unsigned long sp)
{
	unsigned long *word = (unsigned long *)ALIGN(sp, sizeof(long));
	unsigned long *end = task_stack_page(current) + THREAD_SIZE;

	if ((void *)word < task_stack_page(current))
		return NULL;
	for (; word < end; word++)
		if (fastterm_arch_strip(READ_ONCE_NOCHECK(*word)) ==
		    (unsigned long)fastterm_arch_exit &&
		    fastterm_tag_at((unsigned long)(word + 1)))
			return word;
	return NULL;
}

static noinline void take(enum unwinder unwinder, struct trace *t)
{
	struct perf_callchain_entry *chain;
	struct pt_regs regs = {};
	u32 i;

	switch (unwinder) {
	case SAVE:
		t->nr = stack_trace_save(t->entries, DEPTH, 0);
		break;
	case RELIABLE:
		t->nr = stack_trace_save_tsk_reliable(current, t->entries, DEPTH);
		break;
	default:
		preempt_disable();
		perf_fetch_caller_regs(&regs);
		chain = fastterm_callchain(&regs, DEPTH);
		t->nr = chain ? chain->nr : -ENOMEM;
		for (i = 0; chain && i < chain->nr; i++)
			t->entries[i] = chain->ip[i];
		preempt_enable();
	}
}

static void take_all(void)
{
	const bool tagged = find_tag((unsigned long)__builtin_frame_address(0));
	u32 i;

	if (ktime_get_mono_fast_ns() > seen.deadline)
		return;
	seen.late |= tagged && !seen.taken;
	seen.tagged += tagged;
	for (i = 0; i < UNWINDERS; i++) {
		memset(&seen.now, 0, sizeof(seen.now));
		take(i, &seen.now);
		if (!seen.taken) {
			seen.first[i] = seen.now;
		} else if (memcmp(&seen.first[i], &seen.now, sizeof(seen.now))) {
			seen.unlike++;
			seen.whose = names[i];
		}
	}
	seen.taken++;
}

static void watch_no_more(void *unused)
{
	WRITE_ONCE(ftk_on_put, NULL);
	ftk_watch(0, fastterm_period_ms);
}

/* Begin to take traces, on this CPU, for RUN_MS. The program calls @on_put when it puts a thing. */
static void watch(struct kunit *test, void (*on_put)(void))
{
	memset(&seen, 0, sizeof(seen));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, watch_no_more, NULL), 0);
	ftk_watch(BUDGET_MS, PERIOD_MS);
	WRITE_ONCE(ftk_on_put, on_put);
	seen.deadline = ktime_get_mono_fast_ns() + RUN_MS * NSEC_PER_MSEC;
}

/* Load a program that puts things again and again. */
static struct bpf_prog *load_putting(struct kunit *test, const struct ftk_opts *opts,
				     const struct ftk_snippet *after)
{
	const struct bpf_insn body[] = {
		ftk_kfunc(test, "ftk_thing_get"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		ftk_kfunc(test, "ftk_thing_put"),
	};
	struct ftk_shape shape = {
		1, .iterations = NR_TURNS, .body = FTK_SNIPPET(body),
	};
	struct ftk_insns *p;

	if (after)
		shape.after = *after;
	p = ftk_runaway(test, &shape);
	return ftk_load(test, p->insns, p->cnt, opts);
}

/* Run a program and take its traces. The first ones have to be taken before it has a tag. */
static u32 run_watched(struct kunit *test, const struct bpf_prog *prog, const void *ctx)
{
	u32 result, tries = 0;

	do {
		watch(test, take_all);
		result = ftk_run(prog, ctx);
		kunit_release_action(test, watch_no_more, NULL);
	} while (seen.late && ++tries < MAX_TRIES);
	KUNIT_EXPECT_FALSE(test, seen.late);
	return result;
}

static void expect_alike(struct kunit *test)
{
	KUNIT_EXPECT_GT(test, seen.taken, 10);
	KUNIT_EXPECT_GT(test, seen.tagged, 0);
	KUNIT_EXPECT_GT(test, seen.first[SAVE].nr, 5);
	KUNIT_EXPECT_GT(test, seen.first[PERF].nr, 5);
	KUNIT_EXPECT_EQ_MSG(test, seen.unlike, 0, "%s", seen.whose);
	kunit_info(test, "%u times the same traces, of %d, %d and %d entries; tagged %u times\n",
		   seen.taken, seen.first[SAVE].nr, seen.first[RELIABLE].nr,
		   seen.first[PERF].nr, seen.tagged);
}

static int need_callchains(struct kunit *test)
{
	return get_callchain_buffers(DEPTH);
}

static void callchains_no_more(void *unused)
{
	put_callchain_buffers();
}

/* Traces that are taken in a kernel function called by the program. */
static void unwind_functions(struct kunit *test)
{
	static const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	const struct bpf_prog *prog = load_putting(test, &opts, NULL);

	KUNIT_ASSERT_EQ(test, need_callchains(test), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, callchains_no_more, NULL), 0);
	run_watched(test, prog, ctx);
	expect_alike(test);
	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 0);
}

/* Number of words of a trace that the program compares, and the layout of its map. */
#define WORDS		12
#define FIRST		0
#define NOW		(WORDS * 8)
#define TURNS		(2 * WORDS * 8)
#define UNLIKE		(TURNS + 8)
#define DEADLINE	(UNLIKE + 8)
#define SIZE		(DEADLINE + 8)

/* A program that takes its own stack trace in a loop and compares it with the first one. */
static struct bpf_prog *load_tracing(struct kunit *test, const struct ftk_map *m)
{
	struct bpf_insn *insns = kunit_kcalloc(test, 40 + 6 * WORDS, sizeof(*insns), GFP_KERNEL);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_RAW_TRACEPOINT };
	const struct bpf_insn begin[] = {
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
		BPF_LD_IMM64_RAW(BPF_REG_7, BPF_PSEUDO_MAP_VALUE, m->fd),
		/* 3: the loop */
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_7),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, NOW),
		BPF_MOV64_IMM(BPF_REG_3, WORDS * 8),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_get_stack),
		BPF_LDX_MEM(BPF_DW, BPF_REG_8, BPF_REG_7, TURNS),
	};
	const struct bpf_insn again[] = {
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_8, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_8, TURNS),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_7, DEADLINE),
		BPF_JMP_REG(BPF_JGT, BPF_REG_0, BPF_REG_1, 2),
	};
	u32 i, cnt = 0;

	KUNIT_ASSERT_NOT_NULL(test, insns);
	memcpy(insns, begin, sizeof(begin));
	cnt = ARRAY_SIZE(begin);
	for (i = 0; i < WORDS; i++) {
		const struct bpf_insn compare[] = {
			BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_7, NOW + 8 * i),
			BPF_JMP_IMM(BPF_JNE, BPF_REG_8, 0, 1),
			BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_1, FIRST + 8 * i),
			BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_7, FIRST + 8 * i),
			BPF_JMP_REG(BPF_JEQ, BPF_REG_1, BPF_REG_2, 1),
			BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_1, UNLIKE),
		};

		memcpy(&insns[cnt], compare, sizeof(compare));
		cnt += ARRAY_SIZE(compare);
	}
	memcpy(&insns[cnt], again, sizeof(again));
	cnt += ARRAY_SIZE(again);
	/* The loop also ends after as many iterations as may_goto allows. */
	insns[cnt] = BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 1, 0);
	cnt++;
	insns[cnt] = BPF_JMP_A(3 - (int)cnt - 1);
	cnt++;
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[cnt++] = BPF_EXIT_INSN();
	return ftk_load(test, insns, cnt, &opts);
}

/* Do the outermost functions agree? The task may have been interrupted anywhere inside them. */
static bool ends_like(const unsigned long *a, int nr_a, const unsigned long *b, int nr_b)
{
	const int end = 3;

	return nr_a >= end && nr_b >= end &&
	       !memcmp(a + nr_a - end, b + nr_b - end, end * sizeof(*a));
}

static bool has_exit(const struct trace *t)
{
	int i;

	for (i = 0; i < t->nr; i++)
		if (t->entries[i] - (unsigned long)fastterm_arch_exit < 64)
			return true;
	return false;
}

/* The word that would be in the place of a tag if the program had no tag. */
static unsigned long without(const unsigned long *word)
{
	const struct fastterm_tag *tag = fastterm_tag_at((unsigned long)(word + 1));

	return *word == (unsigned long)fastterm_arch_exit ? tag->back :
	       fastterm_arch_sign(tag->back, (unsigned long)(word + 1));
}

/* Unwind the stack twice at the same moment: with the tag, and with the original return address. */
static enum hrtimer_restart look(struct hrtimer *timer)
{
	struct pt_regs *regs = get_irq_regs();
	unsigned long *word, tag;

	word = regs && !user_mode(regs) ? find_tag(kernel_stack_pointer(regs)) : NULL;
	if (word) {
		seen.now.nr = stack_trace_save_regs(regs, seen.now.entries, DEPTH, 0);
		tag = *word;
		WRITE_ONCE(*word, without(word));
		seen.first[SAVE].nr = stack_trace_save_regs(regs, seen.first[SAVE].entries,
							    DEPTH, 0);
		WRITE_ONCE(*word, tag);
		seen.tagged++;
		seen.unlike += has_exit(&seen.now) ||
			       memcmp(&seen.now, &seen.first[SAVE], sizeof(seen.now));
	}
	hrtimer_forward_now(timer, ns_to_ktime(LOOK_NS));
	return HRTIMER_RESTART;
}

static void look_no_more(void *unused)
{
	hrtimer_cancel(&seen.timer);
}

/* Traces that are taken by a helper, and in interrupts. */
static void unwind_helper(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, SIZE, 1, 0);
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	const struct bpf_prog *prog;
	u64 value[SIZE / 8] = {};
	const u32 key = 0;

	prog = load_tracing(test, &m);
	watch(test, NULL);
	hrtimer_init(&seen.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	seen.timer.function = look;
	hrtimer_start(&seen.timer, ns_to_ktime(LOOK_NS), HRTIMER_MODE_REL_PINNED_HARD);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, look_no_more, NULL), 0);
	value[DEADLINE / 8] = ktime_get_ns() + 2 * RUN_MS * NSEC_PER_MSEC;
	ftk_map_update(test, &m, &key, value);
	ftk_run(prog, ctx);
	kunit_release_action(test, look_no_more, NULL);
	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(&m, &key, value));
	kunit_info(test, "%llu traces by the program, %u in interrupts that found it tagged\n",
		   value[TURNS / 8], seen.tagged);
	KUNIT_EXPECT_GT(test, value[TURNS / 8], 10);
	KUNIT_EXPECT_NE(test, value[FIRST / 8 + 2], 0);
	KUNIT_EXPECT_EQ(test, value[UNLIKE / 8], 0);
	KUNIT_EXPECT_GT(test, seen.tagged, 0);
	KUNIT_EXPECT_EQ(test, seen.unlike, 0);
	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 0);
}

#define COOKIE 0x42

static void unwind_throw(struct kunit *test)
{
	static const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS };
	const struct bpf_insn after[] = {
		BPF_MOV64_IMM(BPF_REG_1, COOKIE),
		ftk_kfunc(test, "bpf_throw"),
	};
	const struct ftk_snippet thrown = FTK_SNIPPET(after);
	const struct bpf_prog *prog;

	ftk_need_exceptions(test);
	prog = load_putting(test, &opts, &thrown);
	KUNIT_ASSERT_EQ(test, need_callchains(test), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, callchains_no_more, NULL), 0);
	KUNIT_EXPECT_EQ(test, run_watched(test, prog, NULL), COOKIE);
	expect_alike(test);
	KUNIT_EXPECT_EQ(test, ftk_terminations(prog), 0);
}

/*
 * 0: the program runs; 1: it has a tag and sleeps; 2: its trace has been taken. Writes release,
 * and reads acquire, what has been written before.
 */
static atomic_t sleeping;

static void sleep_on_put(void)
{
	const unsigned long sp = (unsigned long)__builtin_frame_address(0);

	if (atomic_read(&sleeping))
		return;
	while (!find_tag(sp) && ktime_get_mono_fast_ns() < seen.deadline)
		cpu_relax();
	take(SAVE, &seen.first[SAVE]);
	seen.tagged = !!find_tag(sp);
	atomic_set_release(&sleeping, 1);
	/* Longer than it takes to unwind the stack. */
	while (atomic_read_acquire(&sleeping) == 1)
		schedule_timeout_uninterruptible(HZ / 5);
}

/* The trace of a sleeping program that /proc/PID/stack would show, taken on another CPU. */
static void unwind_sleeper(struct kunit *test)
{
	static const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_SYSCALL, .flags = BPF_F_SLEEPABLE,
	};
	struct ftk_runner *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	struct trace *t = &seen.now;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->prog = load_putting(test, &opts, NULL);
	r->once = true;
	watch(test, sleep_on_put);
	atomic_set(&sleeping, 0);
	ftk_runner_start(test, r, 1);
	while (atomic_read_acquire(&sleeping) != 1 && !READ_ONCE(r->done))
		schedule_timeout_uninterruptible(1);
	/* The program may not have gone to sleep yet. */
	schedule_timeout_uninterruptible(2);
	t->nr = stack_trace_save_tsk(r->thread, t->entries, DEPTH, 0);
	atomic_set_release(&sleeping, 2);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, seen.tagged, 1);
	KUNIT_EXPECT_GT(test, t->nr, 5);
	KUNIT_EXPECT_FALSE(test, has_exit(t));
	KUNIT_EXPECT_TRUE(test, ends_like(t->entries, t->nr, seen.first[SAVE].entries,
					  seen.first[SAVE].nr));
	KUNIT_EXPECT_EQ(test, ftk_terminations(r->prog), 0);
}

static struct kunit_case unwind_cases[] = {
	KUNIT_CASE(unwind_functions),
	KUNIT_CASE(unwind_helper),
	KUNIT_CASE(unwind_throw),
	KUNIT_CASE(unwind_sleeper),
	{}
};

static struct kunit_suite unwind_suite = {
	.name = "fastterm_unwind",
	.init = ftk_watch_init,
	.exit = ftk_watch_exit,
	.test_cases = unwind_cases,
};

kunit_test_suite(unwind_suite);
