// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bound of a stub image, which is computed when the program is loaded
 *
 * The expected numbers are BPF instructions and have been counted by hand: the longest path from
 * any instruction of the program to its exit, where loops are left and calls are skipped.
 */

#include <linux/array_size.h>
#include <linux/filter.h>
#include <linux/limits.h>

#include <kunit/test.h>

#include "../program.h"
#include "../verdict.h"
#include "btf.h"
#include "map.h"
#include "prog.h"
#include "runaway.h"

/* Number of instructions that do nothing. */
#define NR_IDLE 20

static u32 idle(struct bpf_insn *insns)
{
	u32 i;

	for (i = 0; i < NR_IDLE; i++)
		insns[i] = BPF_MOV64_IMM(BPF_REG_7, 0);
	return NR_IDLE;
}

static const struct fastterm_verdict *load(struct kunit *test, const struct bpf_insn *insns,
					   u32 cnt)
{
	static const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	const struct fastterm_prog *fprog = fastterm_of(ftk_load(test, insns, cnt, &opts));

	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_ASSERT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	KUNIT_EXPECT_GE(test, fprog->verdict.native_bound, fprog->verdict.bound);
	return &fprog->verdict;
}

/* A skipped call counts as one instruction; the instructions behind it count as usual. */
static void bound_straight(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_6, 0),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_verdict *v = load(test, insns, ARRAY_SIZE(insns));

	KUNIT_EXPECT_EQ(test, v->bound, ARRAY_SIZE(insns));
	KUNIT_EXPECT_EQ(test, v->calls, 0);
	KUNIT_EXPECT_EQ(test, v->loop.times, 0);
}

/* The longer one of two branches counts, and so does a call that is kept. */
static void bound_branches(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, 1),
		ftk_kfunc(test, "bpf_task_from_pid"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		ftk_kfunc(test, "bpf_task_release"),
		BPF_MOV64_IMM(BPF_REG_6, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_verdict *v = load(test, insns, ARRAY_SIZE(insns));

	/* The longest path begins behind the first call, which has returned a task. */
	KUNIT_EXPECT_EQ(test, v->bound, 6);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
}

/* A loop that the verifier unrolls is not left in the stub image. */
static void bound_loop(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_6, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_6, 50, -2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_verdict *v = load(test, insns, ARRAY_SIZE(insns));

	KUNIT_EXPECT_EQ(test, v->bound, 1 + 50 * 2 + 2);
	KUNIT_EXPECT_EQ(test, v->loop.times, 50);
	KUNIT_EXPECT_EQ(test, v->loop.first, 1);
	KUNIT_EXPECT_EQ(test, v->loop.last, 2);
}

/*
 * The longest path begins at the start of a loop's body, leaves the loop at its end, and
 * continues.
 */
static void bound_may_goto(struct kunit *test)
{
	struct bpf_insn insns[2 * NR_IDLE + 8];
	u32 cnt = 0;

	insns[cnt++] = BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_1, 8);
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_7, 0);
	insns[cnt++] = BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, NR_IDLE + 3, 0);
	cnt += idle(&insns[cnt]);
	insns[cnt++] = BPF_JMP_IMM(BPF_JGT, BPF_REG_6, 5, 1);
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_7, 0);
	insns[cnt++] = BPF_JMP_A(-NR_IDLE - 4);
	cnt += idle(&insns[cnt]);
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[cnt++] = BPF_EXIT_INSN();

	/* The body, the may_goto, and the instructions behind the loop. */
	KUNIT_EXPECT_EQ(test, load(test, insns, cnt)->bound, (NR_IDLE + 3) + 1 + (NR_IDLE + 2));
}

/* A callback returns to the call of the loop. */
static void bound_callback(struct kunit *test)
{
	struct bpf_insn insns[2 * NR_IDLE + 16];
	u32 cnt = 0, func;

	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_1, 10);
	func = cnt;
	insns[cnt++] = BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 0);
	insns[cnt++] = (struct bpf_insn){};
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_3, 0);
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_4, 0);
	insns[cnt++] = FTK_CALL(BPF_FUNC_loop);
	cnt += idle(&insns[cnt]);
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[cnt++] = BPF_EXIT_INSN();
	insns[func].imm = cnt - func - 1;
	insns[cnt++] = FTK_CALL(BPF_FUNC_ktime_get_ns);
	cnt += idle(&insns[cnt]);
	insns[cnt++] = BPF_JMP_IMM(BPF_JGT, BPF_REG_0, 5, 1);
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_7, 0);
	insns[cnt++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[cnt++] = BPF_EXIT_INSN();

	/* From the start of the callback; the call to which it returns counts as well. */
	KUNIT_EXPECT_EQ(test, load(test, insns, cnt)->bound, (1 + NR_IDLE + 4) + 1 + (NR_IDLE + 2));
}

/* A kernel function adds a node to a tree, and calls a callback to find its place. */
static void bound_tree(struct kunit *test)
{
	struct ftk_map m = ftk_map_typed(test);
	const struct bpf_insn insns[] = {
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 20),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		BPF_MOV64_IMM(BPF_REG_1, FTK_TYPE_NODE),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		ftk_kfunc(test, "bpf_obj_new_impl"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 15),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		FTK_CALL(BPF_FUNC_spin_lock),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, offsetof(struct ftk_value, root)),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_7),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, offsetof(struct ftk_node, rb)),
		BPF_LD_IMM64_RAW(BPF_REG_3, BPF_PSEUDO_FUNC, 8),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		BPF_MOV64_IMM(BPF_REG_5, 0),
		ftk_kfunc(test, "bpf_rbtree_add_impl"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		FTK_CALL(BPF_FUNC_spin_unlock),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* less(a, b) */
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS, .types = &m };
	const struct fastterm_prog *fprog;

	fprog = fastterm_of(ftk_load(test, insns, ARRAY_SIZE(insns), &opts));
	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	/* From behind bpf_obj_new_impl(), including the callback; and the callback alone. */
	KUNIT_EXPECT_EQ(test, fprog->verdict.bound, 16 + 2 + 2);
	KUNIT_EXPECT_EQ(test, fprog->verdict.calls, 3);
}

static void bound_trace_free(void *t)
{
	fastterm_trace_free(t);
}

static struct fastterm_trace *new_trace(struct kunit *test)
{
	struct fastterm_trace *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, bound_trace_free, t));
	fastterm_trace_begin(t);
	return t;
}

static void steps(struct fastterm_trace *t, struct fastterm_vstate *st, u32 first, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		fastterm_trace_step(t, st, first + i);
}

/*
 * A global function has a path of its own, for a redirect inside it, and one for each call of
 * it.
 */
static void bound_functions(struct kunit *test)
{
	struct fastterm_trace *t = new_trace(test);
	struct fastterm_vstate main = {}, func = {};

	fastterm_trace_entry(t, 0);
	steps(t, &main, 0, 6);
	fastterm_trace_end(t, &main, false, false);
	fastterm_trace_entry(t, 10);
	steps(t, &func, 10, 20);
	fastterm_trace_end(t, &func, false, false);
	KUNIT_EXPECT_EQ(test, fastterm_trace_bound(t, NULL, 30, NULL), 6 + 20);
	fastterm_trace_calls(t, 30, 1, 10);
	fastterm_trace_calls(t, 30, 4, 10);
	KUNIT_EXPECT_EQ(test, fastterm_trace_bound(t, NULL, 30, NULL), 6 + 2 * 20 + 20);
}

/* A callback of a kept call counts as part of that call, and as a path of its own. */
static void bound_kept_callback(struct kunit *test)
{
	struct fastterm_trace *t = new_trace(test);
	struct fastterm_vstate main = {}, callback;

	fastterm_trace_entry(t, 0);
	steps(t, &main, 0, 3);
	fastterm_trace_branch(t, &main, &callback);
	steps(t, &main, 3, 2);
	fastterm_trace_end(t, &main, false, false);
	callback.apart = true;
	steps(t, &callback, 10, 8);
	fastterm_trace_end(t, &callback, false, true);
	fastterm_trace_calls(t, 20, 2, FASTTERM_CALLBACK_OF);
	KUNIT_EXPECT_EQ(test, fastterm_trace_bound(t, NULL, 30, NULL), (3 + 8 + 2) + 8);
}

/* A loop without a site has no bound. */
static void bound_endless(struct kunit *test)
{
	struct fastterm_trace *t = new_trace(test);
	struct fastterm_vstate st = {};
	u32 node;

	fastterm_trace_entry(t, 0);
	steps(t, &st, 0, 3);
	node = fastterm_trace_node(t, &st, 1);
	st = (struct fastterm_vstate){ .node = node };
	steps(t, &st, 3, 2);
	st.cover = node;
	fastterm_trace_end(t, &st, true, false);
	KUNIT_EXPECT_EQ(test, fastterm_trace_bound(t, NULL, 30, NULL), U32_MAX);
}

static struct kunit_case bound_cases[] = {
	KUNIT_CASE(bound_straight),
	KUNIT_CASE(bound_branches),
	KUNIT_CASE(bound_loop),
	KUNIT_CASE(bound_may_goto),
	KUNIT_CASE(bound_callback),
	KUNIT_CASE(bound_tree),
	KUNIT_CASE(bound_functions),
	KUNIT_CASE(bound_kept_callback),
	KUNIT_CASE(bound_endless),
	{}
};

static struct kunit_suite bound_suite = {
	.name = "fastterm_bound",
	.init = ftk_all_init,
	.exit = ftk_all_exit,
	.test_cases = bound_cases,
};

kunit_test_suite(bound_suite);
