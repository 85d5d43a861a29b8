// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of a termination, in instructions
 *
 * The cases need a machine whose clock counts instructions (boot parameter fastterm_icount) and
 * are skipped elsewhere. A timer interrupts programs that do not end at random moments. The
 * cases print medians of four durations: from the beginning of the kick, behind the interrupt's
 * entry, to the exit; the walk alone; the rest of the redirect; and the suffix, which includes
 * the return from the interrupt. For the first of them they print the mean, too.
 */

#include <linux/fastterm_arch.h>
#include <linux/hrtimer.h>
#include <linux/math.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/sched/clock.h>
#include <linux/sort.h>

#include <asm/irq_regs.h>

#include <kunit/test.h>

#include "../activation.h"
#include "../program.h"
#include "../verdict.h"
#include "../walk.h"
#include "prog.h"
#include "runaway.h"

#define NR_KICKS	201

/* The timer is set to expire this long after the program is started, in ns. */
#define LEAD_NS		20000

/* Number of steps, of about two instructions each: more than there are in one tick of the clock. */
#define NR_STEPS	200

/*
 * Upper limits, in ns, for a kernel function that is called after the redirect, and for the
 * return from the interrupt together with the kernel's work after the program's exit.
 */
#define CALL_NS		2000
#define BEYOND_NS	2000

/**
 * struct cost - measurements of a program
 * @timer: interrupts the program
 * @rnd: random numbers that decide when
 * @prog: the program
 * @err: result of the request
 * @nr: number of kicks so far
 * @walk: for each kick, the time of a walk, in ns
 * @redirect: for each kick, the time from its beginning to the end of the redirect, in ns
 * @exit: for each kick, the time from its beginning to the exit, in ns
 */
struct cost {
	struct hrtimer timer;
	struct rnd_state rnd;
	struct bpf_prog *prog;
	int err;
	u32 nr;
	u32 walk[NR_KICKS];
	u32 redirect[NR_KICKS];
	u32 exit[NR_KICKS];
};

/*
 * A timer expires with a tick of the clock. A random delay keeps all measurements from being
 * rounded in the same direction.
 */
static void wait_a_moment(struct cost *c)
{
	u32 i;

	for (i = prandom_u32_state(&c->rnd) % NR_STEPS; i; i--)
		barrier();
}

/* The request sends an interrupt of its own, which follows this one. */
static enum hrtimer_restart strike(struct hrtimer *timer)
{
	struct cost *c = container_of(timer, struct cost, timer);

	wait_a_moment(c);
	c->err = bpf_fastterm_terminate(c->prog, smp_processor_id());
	return HRTIMER_NORESTART;
}

/* Walk up to the return address of the main function. */
static void pass(const struct bpf_prog *prog)
{
	struct fastterm_where where;
	struct fastterm_walk w;
	bool passed = false;
	int err;

	for (err = fastterm_walk_begin(&w, get_irq_regs(), fastterm_of(prog), &where);
	     !err && !passed; err = fastterm_walk_next(&w))
		passed = w.text.image == fastterm_aux(prog)->image;
}

/* Measure a walk, which is what a kick begins with, and then request the termination. */
static enum hrtimer_restart walk(struct hrtimer *timer)
{
	struct cost *c = container_of(timer, struct cost, timer);
	u64 begin;

	wait_a_moment(c);
	begin = sched_clock_noinstr();
	pass(c->prog);
	c->walk[c->nr] = sched_clock_noinstr() - begin;
	return strike(timer);
}

/* The redirect has been completed. */
static void see(void *data, const struct fastterm_outcome *outcome, u8 level, int err)
{
	struct cost *c = data;

	c->redirect[c->nr] = sched_clock_noinstr() - this_cpu_read(fastterm_cpu.since);
}

static void see_no_more(void *c)
{
	ftk_on_kick_end();
}

static int compare(const void *a, const void *b)
{
	return *(const u32 *)a - *(const u32 *)b;
}

static u32 median(u32 *values)
{
	sort(values, NR_KICKS, sizeof(*values), compare, NULL);
	return values[NR_KICKS / 2];
}

/* The mean is finer than the resolution of the clock. */
static u32 mean(const u32 *values)
{
	u32 i, sum = 0;

	for (i = 0; i < NR_KICKS; i++)
		sum += values[i];
	return DIV_ROUND_CLOSEST(sum, NR_KICKS);
}

static u64 run(const struct bpf_prog *prog)
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	u64 result;

	migrate_disable();
	rcu_read_lock();
	result = bpf_prog_run(prog, ctx);
	rcu_read_unlock();
	migrate_enable();
	return result;
}

/* Terminate the program NR_KICKS times, each time with a single kick. */
static void kick(struct kunit *test, struct cost *c,
		 enum hrtimer_restart (*function)(struct hrtimer *timer))
{
	struct fastterm_outcome outcome;

	prandom_seed_state(&c->rnd, 1);
	c->timer.function = function;
	for (c->nr = 0; c->nr < NR_KICKS; ) {
		hrtimer_start(&c->timer,
			      ns_to_ktime(LEAD_NS + prandom_u32_state(&c->rnd) % LEAD_NS),
			      HRTIMER_MODE_REL_PINNED_HARD);
		run(c->prog);
		KUNIT_ASSERT_EQ(test, c->err, 0);
		KUNIT_ASSERT_EQ(test, bpf_fastterm_outcome(smp_processor_id(), &outcome), 0);
		/* Another interrupt may come between the timer and the kick. */
		if (outcome.kicks == 1)
			c->exit[c->nr++] = outcome.exit_ns;
	}
}

static struct cost *measured(struct kunit *test, const struct ftk_shape *shape)
{
	static const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	const struct ftk_insns *p = ftk_runaway(test, shape);
	struct cost *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	c->prog = ftk_load(test, p->insns, p->cnt, &opts);
	hrtimer_init(&c->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	return c;
}

/*
 * Measure kicks and expect that the time from the end of the redirect to the exit is within the
 * bound of the program. One kick in ten is ignored, since another interrupt, or a softirq that
 * it has raised, may have come in between. Returns the longest of the other times.
 */
static u32 kick_and_see(struct kunit *test, struct cost *c)
{
	const struct fastterm_verdict *v = &fastterm_of(c->prog)->verdict;
	u32 i, longest;

	KUNIT_ASSERT_EQ(test, 0, ftk_on_kick(see, c));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, see_no_more, c));
	kick(test, c, strike);
	kunit_release_action(test, see_no_more, c);
	for (i = 0; i < NR_KICKS; i++)
		c->exit[i] -= c->redirect[i];
	sort(c->exit, NR_KICKS, sizeof(*c->exit), compare, NULL);
	longest = c->exit[NR_KICKS * 9 / 10];
	kunit_info(test, "nine of ten suffixes took no more than %u instructions; the bound is %u, and %u kept calls\n",
		   longest, v->native_bound, v->calls);
	KUNIT_EXPECT_LE(test, longest, v->native_bound + v->calls * CALL_NS + BEYOND_NS);
	return longest;
}

static u32 measure(struct kunit *test, const struct ftk_shape *shape, const char *what)
{
	struct cost *c = measured(test, shape);
	u32 total;

	kick(test, c, walk);
	kick_and_see(test, c);
	kick(test, c, strike);
	total = median(c->exit);
	kunit_info(test, "%s: %u instructions from kick to exit (mean %u): walk %u, rest of redirect %d, suffix %d\n",
		   what, total, mean(c->exit), median(c->walk),
		   (int)(median(c->redirect) - median(c->walk)),
		   (int)(total - median(c->redirect)));
	return total;
}

/*
 * The time that bpf_throw() takes: the difference between a run that throws and one that does
 * not.
 */
static u32 thrown(struct kunit *test, u32 calls)
{
	static const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	const struct bpf_insn quiet = BPF_MOV64_IMM(BPF_REG_0, 0);
	struct bpf_insn insns[32];
	struct bpf_prog *prog;
	u64 begin, ns[2];
	u32 cnt, i, throws;

	for (throws = 0; throws < 2; throws++) {
		cnt = 0;
		insns[cnt++] = BPF_MOV64_IMM(BPF_REG_1, 0);
		for (i = 0; i < calls; i++) {
			/* Call the function that begins behind the rest of this one. */
			insns[cnt++] = BPF_CALL_REL(2);
			insns[cnt++] = BPF_MOV64_IMM(BPF_REG_0, 0);
			insns[cnt++] = BPF_EXIT_INSN();
			insns[cnt++] = BPF_MOV64_IMM(BPF_REG_1, 0);
		}
		insns[cnt++] = throws ? ftk_kfunc(test, "bpf_throw") : quiet;
		insns[cnt++] = BPF_MOV64_IMM(BPF_REG_0, 0);
		insns[cnt++] = BPF_EXIT_INSN();
		prog = ftk_load(test, insns, cnt, &opts);
		for (i = 0; i < 3; i++) {
			begin = sched_clock_noinstr();
			run(prog);
			ns[throws] = sched_clock_noinstr() - begin;
		}
	}
	return ns[1] - ns[0];
}

static const struct bpf_insn body_helper[] = {
	FTK_CALL(BPF_FUNC_get_current_uid_gid),
};

/* Number of iterations of a loop that is not left in the stub image. */
#define NR_TURNS	5000

/*
 * The stub image executes all iterations of a loop that the verifier has unrolled. This may take
 * long, but no longer than the bound says.
 */
static void cost_suffix(struct kunit *test)
{
	static const struct bpf_insn loop[] = {
		BPF_MOV64_IMM(BPF_REG_7, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_7, NR_TURNS, -2),
	};
	const struct ftk_shape shape = {
		1, .body = FTK_SNIPPET(body_helper), .after = FTK_SNIPPET(loop),
	};
	struct cost *c = measured(test, &shape);
	const struct fastterm_verdict *v = &fastterm_of(c->prog)->verdict;

	KUNIT_EXPECT_EQ(test, v->calls, 0);
	KUNIT_EXPECT_GE(test, kick_and_see(test, c), v->native_bound);
}

/* The program itself loops: it has a single frame. */
static u32 one_frame(struct kunit *test)
{
	static const struct bpf_insn loop[] = {
		BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 4),
		BPF_JMP_A(-3),
	};
	static const struct bpf_insn before[] = { BPF_MOV64_IMM(BPF_REG_7, 0) };
	const struct ftk_shape shape = {
		0, .before = FTK_SNIPPET(before), .body = FTK_SNIPPET(loop),
	};

	return measure(test, &shape, "1 frame");
}

/* The program itself loops, and calls kernel functions most of the time. */
static void one_frame_calling(struct kunit *test)
{
	const struct bpf_insn loop[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, FTK_FOREVER),
		ftk_kfunc(test, "bpf_iter_num_new"),
		FTK_CALL(BPF_FUNC_get_current_uid_gid),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		ftk_kfunc(test, "bpf_iter_num_next"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -5),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		ftk_kfunc(test, "bpf_iter_num_destroy"),
	};
	const struct ftk_shape shape = { 0, .body = FTK_SNIPPET(loop) };

	measure(test, &shape, "1 frame, mostly in functions of the kernel");
}

static void two_frames_holding(struct kunit *test)
{
	struct ftk_shape shape = { 1, .body = FTK_SNIPPET(body_helper) };

	ftk_hold_things(test, &shape);
	measure(test, &shape, "2 frames, 50 references held");
}

/* The innermost callback calls a helper most of the time. */
static u32 frames(struct kunit *test, u32 nr, bool hold, bool out_of_line, const char *what)
{
	struct ftk_shape shape = { nr - 1, out_of_line, .body = FTK_SNIPPET(body_helper) };

	if (hold)
		ftk_hold_things(test, &shape);
	return measure(test, &shape, what);
}

static void cost_kick_to_exit(struct kunit *test)
{
	u32 one = one_frame(test);
	u32 two = frames(test, 2, false, false, "2 frames");
	u32 four = frames(test, 4, false, false, "4 frames");
	u32 throw_one, throw_four;

	kunit_info(test, "each further frame: %u instructions\n", (four - two) / 2);
	one_frame_calling(test);
	frames(test, 4, false, true, "4 frames, and the helper's between them");
	two_frames_holding(test);
	frames(test, 4, true, false, "4 frames, 50 references held");
	if (!bpf_jit_supports_exceptions())
		return;
	throw_one = thrown(test, 0);
	throw_four = thrown(test, 3);
	kunit_info(test, "bpf_throw: 1 frame: %u, 4 frames: %u; kick to exit is %u %% and %u %% of it\n",
		   throw_one, throw_four, one * 100 / throw_one, four * 100 / throw_four);
}

static struct kunit_case cost_cases[] = {
	KUNIT_CASE(cost_kick_to_exit),
	KUNIT_CASE(cost_suffix),
	{}
};

static struct kunit_suite cost_suite = {
	.name = "fastterm_icount_cost",
	.init = ftk_icount_init,
	.exit = ftk_icount_exit,
	.test_cases = cost_cases,
};

kunit_test_suite(cost_suite);
