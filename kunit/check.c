// SPDX-License-Identifier: GPL-2.0-only
/*
 * The product check: the verifier explores a program and its stub image together
 *
 * Each rule that keeps calls is switched off in turn. The verifier must then reject the stub
 * image of a program that needs the rule, and the program has no image. With the rule, the same
 * program has one.
 */

#include <linux/btf.h>
#include <linux/cpu.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/time64.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "../decision.h"
#include "../mode.h"
#include "../program.h"
#include "../verdict.h"
#include "btf.h"
#include "kfuncs.h"
#include "map.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"

/* A kfunc call, for use in the functions that make programs. */
#define KFUNC(name)	ftk_kfunc(test, name)

/**
 * struct check_program - a program and the rule that it needs
 * @name: name of the case
 * @rule: the enum fastterm_why that is switched off
 * @type: program type
 * @flags: as in &struct ftk_opts
 * @globals: as in &struct ftk_opts
 * @fillers: as in &struct ftk_opts
 * @make: writes the instructions; returns their number
 * @throws: the program needs a JIT that supports exceptions
 * @refusal: why the check refuses the stub image without the rule
 */
struct check_program {
	const char *name;
	enum fastterm_why rule;
	enum bpf_prog_type type;
	u32 flags;
	u32 globals;
	u32 fillers;
	u32 (*make)(struct kunit *test, struct bpf_insn *insns);
	bool throws;
	enum fastterm_refusal refusal;
};

#define MAX_INSNS	64

/* Copy an array of instructions that is written in the macro's arguments. */
#define MAKE(to, ...) ({						\
	const struct bpf_insn __insns[] = { __VA_ARGS__ };		\
									\
	BUILD_BUG_ON(ARRAY_SIZE(__insns) > MAX_INSNS);			\
	memcpy(to, __insns, sizeof(__insns));				\
	ARRAY_SIZE(__insns);						\
})

static u32 make_releases(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		BPF_MOV64_IMM(BPF_REG_1, 1),
		KFUNC("bpf_task_from_pid"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		KFUNC("bpf_task_release"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

/*
 * Acquiring a second reference cannot fail: if it is skipped, the program releases one reference
 * too many.
 */
static u32 make_acquires(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		BPF_MOV64_IMM(BPF_REG_1, FTK_TYPE_NODE),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		KFUNC("bpf_obj_new_impl"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 9),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		KFUNC("bpf_refcount_acquire_impl"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		KFUNC("bpf_obj_drop_impl"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		KFUNC("bpf_obj_drop_impl"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

static u32 make_rcu(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		KFUNC("bpf_rcu_read_lock"),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		KFUNC("bpf_rcu_read_unlock"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

static u32 make_preempt(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		KFUNC("bpf_preempt_disable"),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		KFUNC("bpf_preempt_enable"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

/*
 * The verifier tracks the locks that are held: S may not skip the release of a lock that P has
 * taken.
 */
static u32 make_lock(struct kunit *test, struct bpf_insn *insns)
{
	struct ftk_map m = ftk_map_typed(test);

	return MAKE(insns,
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		FTK_CALL(BPF_FUNC_spin_lock),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		FTK_CALL(BPF_FUNC_spin_unlock),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

static u32 make_iterator(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, 3),
		KFUNC("bpf_iter_num_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		KFUNC("bpf_iter_num_next"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -4),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		KFUNC("bpf_iter_num_destroy"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

/* The loader may read uninitialised stack, so only the product check notices the missing fill. */
static u32 make_fill(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_get_current_comm),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -16),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

/*
 * Memory is written on the path that the verifier explores first, and not on the other one. The
 * latter is pruned, since the loader may read uninitialised stack.
 */
static u32 make_written_on_one_way(struct bpf_insn *insns)
{
	return MAKE(insns,
		/* R6 is for later: another number than the one that decides here. */
		FTK_CALL(BPF_FUNC_get_prandom_u32),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		FTK_CALL(BPF_FUNC_get_prandom_u32),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 4),
		BPF_STX_MEM(BPF_H, BPF_REG_10, BPF_REG_0, -8),
		BPF_STX_MEM(BPF_H, BPF_REG_10, BPF_REG_0, -6),
		BPF_STX_MEM(BPF_H, BPF_REG_10, BPF_REG_0, -4),
		BPF_STX_MEM(BPF_H, BPF_REG_10, BPF_REG_0, -2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8));
}

static u32 make_fill_pruned(struct kunit *test, struct bpf_insn *insns)
{
	const u32 cnt = make_written_on_one_way(insns);

	return cnt + MAKE(insns + cnt,
		BPF_MOV64_IMM(BPF_REG_2, 8),
		FTK_CALL(BPF_FUNC_get_current_comm),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

/*
 * Behind the pruning point, one path calls the helper that fills memory and the other one does
 * not. The stub image may read uninitialised memory on the second path, but not on the first.
 */
static u32 make_fill_on_one_way(struct kunit *test, struct bpf_insn *insns)
{
	const u32 cnt = make_written_on_one_way(insns);

	return cnt + MAKE(insns + cnt,
		BPF_MOV64_IMM(BPF_REG_2, 8),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_6, 5, 3),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		FTK_CALL(BPF_FUNC_get_current_comm),
		BPF_JMP_A(-5));
}

static u32 make_global_pruned(struct kunit *test, struct bpf_insn *insns)
{
	const u32 cnt = make_written_on_one_way(insns);

	return cnt + MAKE(insns + cnt,
		BPF_CALL_REL(3),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_10, -8),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* The function that is called. */
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_1, 0, 1),
		BPF_ST_MEM(BPF_W, BPF_REG_1, 0, 1),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

/* The program dereferences a pointer that is never NULL. */
static u32 make_result(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		KFUNC("ftk_thing_first"),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_0, offsetof(struct ftk_thing, value)),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

/* Only the stub image executes the instructions behind bpf_throw(). */
static u32 make_throw(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		BPF_MOV64_IMM(BPF_REG_6, 0),
		FTK_CALL(BPF_FUNC_get_prandom_u32),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		BPF_MOV64_IMM(BPF_REG_1, 0),
		KFUNC("bpf_throw"),
		BPF_ALU64_REG(BPF_ADD, BPF_REG_6, BPF_REG_10),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

/* A static function that writes to the stack of its caller. */
static u32 make_static(struct kunit *test, struct bpf_insn *insns)
{
	return MAKE(insns,
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		BPF_CALL_REL(3),
		BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_10, -8),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* The function that is called. */
		BPF_ST_MEM(BPF_DW, BPF_REG_1, 0, 1),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
}

static const struct check_program programs[] = {
	{ "a reference that is given back", FASTTERM_RELEASES,
	  BPF_PROG_TYPE_SCHED_CLS, .make = make_releases, .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "a reference that cannot fail", FASTTERM_RESULT,
	  BPF_PROG_TYPE_SCHED_CLS, .make = make_acquires, .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "an RCU section", FASTTERM_LOCKS,
	  BPF_PROG_TYPE_SCHED_CLS, .make = make_rcu, .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "a section without preemption", FASTTERM_LOCKS,
	  BPF_PROG_TYPE_SCHED_CLS, .make = make_preempt, .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "a lock", FASTTERM_LOCKS,
	  BPF_PROG_TYPE_SCHED_CLS, .make = make_lock, .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "an iterator", FASTTERM_OBJECT,
	  BPF_PROG_TYPE_SCHED_CLS, .make = make_iterator, .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "memory that is filled", FASTTERM_FILLS,
	  BPF_PROG_TYPE_RAW_TRACEPOINT, .make = make_fill,
	  .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "memory that is filled, on a path that is pruned", FASTTERM_FILLS,
	  BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_F_TEST_STATE_FREQ, .make = make_fill_pruned,
	  .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "memory that is filled on one way of two", FASTTERM_FILLS,
	  BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_F_TEST_STATE_FREQ, .make = make_fill_on_one_way,
	  .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "memory that a function fills, on a path that is pruned", FASTTERM_FILLS,
	  BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_F_TEST_STATE_FREQ, BIT(1), BIT(1),
	  make_global_pruned, .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "a result that is followed", FASTTERM_RESULT,
	  BPF_PROG_TYPE_SCHED_CLS, .make = make_result,
	  .refusal = FASTTERM_REFUSED_VERIFIER },
	{ "a call that does not return", FASTTERM_NO_RETURN,
	  BPF_PROG_TYPE_SCHED_CLS, .make = make_throw, .throws = true,
	  .refusal = FASTTERM_REFUSED_ALONE },
	{ "a function of the program", FASTTERM_SUBPROG_CALL,
	  BPF_PROG_TYPE_RAW_TRACEPOINT, .make = make_static,
	  .refusal = FASTTERM_REFUSED_VERIFIER },
};

static const struct fastterm_prog *load(struct kunit *test, const struct check_program *p)
{
	struct bpf_insn insns[MAX_INSNS];
	struct ftk_opts opts = {
		.type = p->type,
		.flags = p->flags,
		.globals = p->globals,
		.fillers = p->fillers,
	};
	struct bpf_prog *prog;

	prog = ftk_load(test, insns, p->make(test, insns), &opts);
	KUNIT_ASSERT_NOT_NULL(test, fastterm_of(prog));
	return fastterm_of(prog);
}

static void check_exit(struct kunit *test)
{
	WRITE_ONCE(fastterm_blind, 0);
	ftk_all_exit(test);
}

/* With the rule there is an image; without it there is none, and the verifier says why. */
static void check_rules(struct kunit *test)
{
	const struct check_program *p = test->param_value;
	const struct fastterm_prog *fprog;

	if (p->throws)
		ftk_need_exceptions(test);

	fprog = load(test, p);
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	KUNIT_EXPECT_EQ_MSG(test, fprog->verdict.why, FASTTERM_REFUSED_NOT, "insn %u: %s",
			    fprog->verdict.insn, fprog->verdict.sentence);

	WRITE_ONCE(fastterm_blind, BIT(p->rule));
	fprog = load(test, p);
	WRITE_ONCE(fastterm_blind, 0);
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_UNSOUND);
	KUNIT_EXPECT_NULL(test, fprog->images);
	KUNIT_EXPECT_EQ(test, fprog->verdict.why, p->refusal);
	if (p->refusal == FASTTERM_REFUSED_VERIFIER)
		KUNIT_EXPECT_NE(test, fprog->verdict.sentence[0], '\0');
	kunit_info(test, "insn %u: %s", fprog->verdict.insn, fprog->verdict.sentence);
}

/*
 * Uninitialised memory that the original may read may be read by the stub image, too, even if
 * the verifier has explored the original only where the memory was initialised.
 */
static void check_unwritten(struct kunit *test)
{
	const struct ftk_opts opts = { .flags = BPF_F_TEST_STATE_FREQ };
	const struct fastterm_prog *fprog;
	struct bpf_insn insns[MAX_INSNS];
	u32 cnt = make_written_on_one_way(insns);

	cnt += MAKE(insns + cnt,
		BPF_MOV64_IMM(BPF_REG_1, 0),
		FTK_CALL(BPF_FUNC_get_prandom_u32),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
		/* Its stub does not fill memory: stub states are pushed where P is pruned. */
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 8),
		FTK_CALL(BPF_FUNC_get_current_comm),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
	WRITE_ONCE(fastterm_blind, BIT(FASTTERM_FILLS));
	fprog = fastterm_of(ftk_load(test, insns, cnt, &opts));
	WRITE_ONCE(fastterm_blind, 0);
	KUNIT_EXPECT_EQ_MSG(test, fprog->absence, FASTTERM_PRESENT, "insn %u: %s",
			    fprog->verdict.insn, fprog->verdict.sentence);
}

/*
 * Where images are required, a program that can run for long and has none is not loaded. One
 * that is short is.
 */
static void check_required(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, 3),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 11),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_get_current_comm),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -16),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* The callback. */
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	fastterm_mode = FASTTERM_MODE_REQUIRED;
	KUNIT_EXPECT_EQ(test, ftk_load_errno(test, insns, ARRAY_SIZE(insns), NULL), 0);
	/* Without the rule, the verifier does not accept the stub image. */
	WRITE_ONCE(fastterm_blind, BIT(FASTTERM_FILLS));
	KUNIT_EXPECT_EQ(test, ftk_load_errno(test, insns, ARRAY_SIZE(insns), NULL), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, ftk_load_errno(test, insns + ARRAY_SIZE(insns) - 2, 2, NULL), 0);
	fastterm_mode = FASTTERM_MODE_NEEDED;
	KUNIT_EXPECT_EQ(test, ftk_load_errno(test, insns, ARRAY_SIZE(insns), NULL), 0);
	WRITE_ONCE(fastterm_blind, 0);
}

/*
 * The verifier puts addresses into programs: of maps, of the BTF of allocated objects, of the
 * program itself. They differ from load to load, and the machine code that loads a constant has
 * as many instructions as the constant needs (arm64, riscv64).
 */
static bool loads_same_constants(const struct bpf_prog *a, const struct bpf_prog *b)
{
	u32 i;

	for (i = 0; i < a->len; i++) {
		if (!bpf_is_ldimm64(&a->insnsi[i]))
			continue;
		if (a->insnsi[i].imm != b->insnsi[i].imm ||
		    a->insnsi[i + 1].imm != b->insnsi[i + 1].imm)
			return false;
	}
	return true;
}

/* Exploring the stub image does not change the program, but for addresses in it. */
static void expect_same(struct kunit *test, const struct bpf_insn *insns, u32 cnt,
			const struct ftk_opts *opts)
{
	const struct bpf_prog *with, *without;
	u32 i;

	with = ftk_load(test, insns, cnt, opts);
	fastterm_mode = FASTTERM_MODE_OFF;
	without = ftk_load(test, insns, cnt, opts);
	fastterm_mode = FASTTERM_MODE_ALL;

	KUNIT_ASSERT_NOT_NULL(test, fastterm_of(with));
	KUNIT_EXPECT_EQ(test, fastterm_of(with)->absence, FASTTERM_PRESENT);
	KUNIT_EXPECT_EQ(test, with->aux->verified_insns, without->aux->verified_insns);
	KUNIT_EXPECT_EQ(test, with->aux->stack_depth, without->aux->stack_depth);
	KUNIT_ASSERT_EQ(test, with->len, without->len);
	for (i = 0; i < with->len; i++)
		KUNIT_EXPECT_EQ_MSG(test, with->insnsi[i].code, without->insnsi[i].code,
				    "insn %u", i);
	if (loads_same_constants(with, without))
		KUNIT_EXPECT_EQ(test, with->jited_len, without->jited_len);
}

static void check_same(struct kunit *test)
{
	const struct check_program *p = test->param_value;
	struct bpf_insn insns[MAX_INSNS];
	const struct ftk_opts opts = {
		.type = p->type,
		.flags = p->flags,
		.globals = p->globals,
		.fillers = p->fillers,
	};

	if (p->throws)
		ftk_need_exceptions(test);
	expect_same(test, insns, p->make(test, insns), &opts);
}

/* An acquisition that S skips. S continues in a state of its own behind it. */
static u32 take_and_give_back(struct kunit *test, struct bpf_insn *to)
{
	return MAKE(to,
		BPF_MOV64_IMM(BPF_REG_1, 1),
		KFUNC("bpf_task_from_pid"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		KFUNC("bpf_task_release"));
}

/*
 * Set a callback of the timer in R6. @func receives the index of the instruction that refers to
 * it.
 */
static u32 set_callback(struct bpf_insn *to, u32 at, u32 *func)
{
	*func = at + 1;
	return MAKE(&to[at],
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 0),
		FTK_CALL(BPF_FUNC_timer_set_callback));
}

/* A timer callback that sets itself as callback again. The exploration ends all the same. */
static void check_async(struct kunit *test)
{
	const u32 timer = offsetof(struct ftk_value, timer);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS };
	struct ftk_map m = ftk_map_typed(test);
	struct bpf_insn insns[2 * MAX_INSNS];
	u32 cnt = 0, callback, funcs[3], i;

	cnt += take_and_give_back(test, insns);
	cnt += MAKE(&insns[cnt],
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 1),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, timer),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, CLOCK_MONOTONIC),
		FTK_CALL(BPF_FUNC_timer_init));
	cnt += set_callback(insns, cnt, &funcs[0]);
	cnt += set_callback(insns, cnt, &funcs[1]);
	cnt += take_and_give_back(test, &insns[cnt]);
	cnt += MAKE(&insns[cnt], BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());

	callback = cnt;
	cnt += MAKE(&insns[cnt],
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_3),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, timer));
	cnt += take_and_give_back(test, &insns[cnt]);
	cnt += set_callback(insns, cnt, &funcs[2]);
	cnt += take_and_give_back(test, &insns[cnt]);
	cnt += MAKE(&insns[cnt], BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	for (i = 0; i < ARRAY_SIZE(funcs); i++)
		insns[funcs[i]].imm = callback - funcs[i] - 1;

	expect_same(test, insns, cnt, &opts);
}

/*
 * Once the verifier has masked the offset of a pointer against speculation, it compares all
 * states from then on. If it explores the program once more without S, because somebody reads
 * its log, this must not apply from the beginning.
 */
static void check_limits(struct kunit *test)
{
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_SCHED_CLS, .no_perfmon = true, .log = true,
	};
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct bpf_insn insns[MAX_INSNS];
	u32 cnt = 0, bit, jump;

	cnt += MAKE(insns,
		BPF_LDX_MEM(BPF_W, BPF_REG_6, BPF_REG_1, offsetof(struct __sk_buff, mark)),
		BPF_JMP_IMM(BPF_JSET, BPF_REG_6, 1 << 30, 0));
	jump = cnt - 1;
	for (bit = 0; bit < 10; bit++)
		cnt += MAKE(&insns[cnt], BPF_JMP_IMM(BPF_JSET, BPF_REG_6, 1 << bit, 1),
			    BPF_MOV64_IMM(BPF_REG_0, 0));
	cnt += MAKE(&insns[cnt], BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	insns[jump].off = cnt - jump - 1;
	cnt += MAKE(&insns[cnt],
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 4),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_6),
		BPF_ALU64_IMM(BPF_AND, BPF_REG_3, 7),
		BPF_ALU64_REG(BPF_ADD, BPF_REG_0, BPF_REG_3),
		BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_0, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
	expect_same(test, insns, cnt, &opts);
}

/* Why a site is kept; FASTTERM_SKIP if it is not. */
static enum fastterm_why why_of(const struct fastterm_prog *fprog, u32 i)
{
	return fprog->sites[i].decision.why;
}

/*
 * The filled memory is initialised on the architectural path, but not on a path on which the
 * processor may speculate: the stub has to fill it.
 */
static void check_speculation(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
		BPF_LDX_MEM(BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct __sk_buff, mark)),
		BPF_ALU64_IMM(BPF_AND, BPF_REG_8, 0),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_8, 0, 1),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -8),
		BPF_MOV64_IMM(BPF_REG_4, 8),
		FTK_CALL(BPF_FUNC_skb_load_bytes),
		BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS, .no_perfmon = true };
	const struct fastterm_prog *fprog;

	if (cpu_mitigations_off())
		kunit_skip(test, "mitigations are off: the verifier does not look at speculation");
	/* Later ones keep the processor from speculating there. */
	fastterm_mode = FASTTERM_MODE_OFF;
	if (ftk_load_errno(test, insns, ARRAY_SIZE(insns), &opts) == -EACCES)
		kunit_skip(test, "this kernel rejects what is only wrong on a speculative path");
	fastterm_mode = FASTTERM_MODE_ALL;
	fprog = fastterm_of(ftk_load(test, insns, ARRAY_SIZE(insns), &opts));
	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	KUNIT_ASSERT_EQ(test, fprog->nr_sites, 1);
	KUNIT_EXPECT_EQ(test, why_of(fprog, 0), FASTTERM_SKIP);
	KUNIT_EXPECT_TRUE(test, fprog->sites[0].decision.fill & 1);
}

/* Every next() of an iterator is skipped, whatever other argument registers hold. */
static void check_iterators(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, 1000),
		KFUNC("bpf_iter_num_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		KFUNC("bpf_iter_num_next"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		KFUNC("bpf_iter_num_next"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -5),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		KFUNC("bpf_iter_num_destroy"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_prog *fprog;
	const struct bpf_prog *prog;

	prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
	fprog = fastterm_of(prog);
	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	KUNIT_ASSERT_EQ(test, fprog->nr_sites, 4);
	KUNIT_EXPECT_EQ(test, why_of(fprog, 0), FASTTERM_OBJECT);
	KUNIT_EXPECT_EQ(test, why_of(fprog, 1), FASTTERM_SKIP);
	KUNIT_EXPECT_EQ(test, why_of(fprog, 2), FASTTERM_SKIP);
	KUNIT_EXPECT_EQ(test, why_of(fprog, 3), FASTTERM_OBJECT);
}

static void keep_all(struct bpf_verifier_env *env, const struct bpf_verifier_state *before,
		     const struct bpf_insn *insn, struct fastterm_decision *d)
{
	fastterm_keep(d, FASTTERM_RESULT, 0);
}

static const struct fastterm_prog *load_keeping_all(struct kunit *test,
						    const struct bpf_insn *insns, u32 cnt)
{
	const struct fastterm_prog *fprog;

	kunit_activate_static_stub(test, fastterm_decide, keep_all);
	fprog = fastterm_of(ftk_load(test, insns, cnt, NULL));
	kunit_deactivate_static_stub(test, fastterm_decide);
	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_UNSOUND);
	return fprog;
}

/* If a next() is kept, for whatever reason, its loop does not end: there is no image. */
static void check_kept_next(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, 1000),
		KFUNC("bpf_iter_num_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		KFUNC("bpf_iter_num_next"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -4),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		KFUNC("bpf_iter_num_destroy"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_prog *fprog = load_keeping_all(test, insns, ARRAY_SIZE(insns));

	KUNIT_EXPECT_EQ(test, fprog->verdict.why, FASTTERM_REFUSED_VERIFIER);
	KUNIT_EXPECT_EQ(test, fprog->verdict.insn, 7);
	KUNIT_EXPECT_NOT_NULL(test, strstr(fprog->verdict.sentence, "next element"));
}

/* If a helper is kept that calls back as often as its caller wants, there is no image. */
static void check_kept_loop(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, 1 << 20),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_prog *fprog = load_keeping_all(test, insns, ARRAY_SIZE(insns));

	KUNIT_EXPECT_EQ(test, fprog->verdict.why, FASTTERM_REFUSED_UNBOUNDED);
	KUNIT_EXPECT_EQ(test, fprog->verdict.insn, 5);
}

KUNIT_ARRAY_PARAM_DESC(programs, programs, name);

static struct kunit_case check_cases[] = {
	KUNIT_CASE_PARAM(check_rules, programs_gen_params),
	KUNIT_CASE_PARAM(check_same, programs_gen_params),
	KUNIT_CASE(check_unwritten),
	KUNIT_CASE(check_required),
	KUNIT_CASE(check_async),
	KUNIT_CASE(check_limits),
	KUNIT_CASE(check_speculation),
	KUNIT_CASE(check_iterators),
	KUNIT_CASE(check_kept_next),
	KUNIT_CASE(check_kept_loop),
	{}
};

static struct kunit_suite check_suite = {
	.name = "fastterm_check",
	.init = ftk_all_init,
	.exit = check_exit,
	.test_cases = check_cases,
};

kunit_test_suite(check_suite);
