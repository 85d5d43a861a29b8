// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control flow of a program that runs in its stub image; see image.h
 *
 * The program leaves loops and does not enter other programs. Calls of its own functions go to
 * their images, and exceptions that they throw are caught.
 */

#include <linux/bits.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/filter.h>

#include <kunit/test.h>

#include "../image.h"
#include "../mode.h"
#include "../program.h"
#include "image.h"
#include "map.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"

/**
 * image_loop() - inner and outer inlined loops are left before their first iteration
 * @test: the test case
 */
void image_loop(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, FTK_FOREVER),
		BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_FUNC, 0, 6),
		BPF_RAW_INSN(0, 0, 0, 0, 0),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_IMM(BPF_REG_0, 5),
		BPF_EXIT_INSN(),
		/* 8: the outer callback */
		BPF_MOV64_IMM(BPF_REG_1, FTK_FOREVER),
		BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_FUNC, 0, 6),
		BPF_RAW_INSN(0, 0, 0, 0, 0),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* 16: the inner callback */
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog;
	const struct bpf_prog *stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), NULL, &prog);
	const struct fastterm_prog *fprog = fastterm_of(prog);

	KUNIT_EXPECT_EQ(test, fprog->nr_funcs, 3);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), 5);
	/* A callback whose image is entered directly does not iterate either. */
	KUNIT_EXPECT_EQ(test, ftk_run(fprog->images[1]->shadow, NULL), 0);
}

/**
 * image_may_goto() - may_goto leaves its loop at the first test; the instructions behind the
 * loop are executed
 * @test: the test case
 */
void image_may_goto(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 3),
		BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0),
		BPF_MOV64_IMM(BPF_REG_0, 4),
		BPF_JMP_A(-3),
		BPF_EXIT_INSN(),
	};
	const struct bpf_prog *stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), NULL, NULL);

	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), 3);
}

/**
 * image_call() - a call in an image enters the image of the callee, where sites are skipped as
 * well
 * @test: the test case
 */
void image_call(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct bpf_insn insns[] = {
		BPF_CALL_REL(1),
		BPF_EXIT_INSN(),
		/* 2: updates the map */
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 9),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -16),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_map_update_elem),
		BPF_EXIT_INSN(),
	};
	const struct bpf_prog *stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), NULL, NULL);
	const u32 key = 0;
	u64 value = 1;

	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), (u32)-ECANCELED);
	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(&m, &key, &value));
	KUNIT_EXPECT_EQ(test, value, 0);
}

/**
 * image_global() - a global function is not entered, and R0 does not keep its value from before
 * the call
 * @test: the test case
 */
void image_global(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 77),
		BPF_MOV64_IMM(BPF_REG_1, 7),
		BPF_CALL_REL(3),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, -ECANCELED, 1),
		BPF_MOV64_IMM(BPF_REG_0, 66),
		BPF_EXIT_INSN(),
		/* 6: global */
		BPF_MOV64_REG(BPF_REG_0, BPF_REG_1),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .globals = BIT(1) };
	struct bpf_prog *prog;
	const struct bpf_prog *stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), &opts, &prog);

	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 66);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), (u32)-ECANCELED);
}

/**
 * image_tail_call() - tail calls are not taken
 * @test: the test case
 *
 * This holds whether their index is constant, so that they are direct, or not; whether there is
 * a target when the program is loaded, or only later; and whether the program has one function
 * or two.
 */
void image_tail_call(struct kunit *test)
{
	static const struct bpf_insn callee[] = {
		BPF_MOV64_IMM(BPF_REG_0, 66),
		BPF_EXIT_INSN(),
	};
	struct ftk_raw_tp_ctx ctx = { .args[0] = 1 };
	const u32 key = 1;
	u32 fd, late, funcs;

	fd = ftk_prog_fd(test, ftk_load(test, callee, ARRAY_SIZE(callee), NULL));
	for (late = 0; late < 2; late++) {
		for (funcs = 1; funcs <= 1 + bpf_jit_supports_subprog_tailcalls(); funcs++) {
			struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2, 0);
			struct bpf_insn insns[] = {
				BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
				BPF_LD_MAP_FD(BPF_REG_2, m.fd),
				BPF_MOV64_IMM(BPF_REG_3, 1),
				FTK_CALL(BPF_FUNC_tail_call),
				BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
				BPF_LD_MAP_FD(BPF_REG_2, m.fd),
				BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 0),
				FTK_CALL(BPF_FUNC_tail_call),
				funcs == 1 ? BPF_MOV64_IMM(BPF_REG_0, 2) : BPF_CALL_REL(1),
				BPF_EXIT_INSN(),
				BPF_MOV64_IMM(BPF_REG_0, 2),
				BPF_EXIT_INSN(),
			};
			const struct bpf_prog *stub;
			struct bpf_prog *prog;

			if (!late)
				ftk_map_update(test, &m, &key, &fd);
			stub = ftk_load_stub(test, insns,
					     ARRAY_SIZE(insns) - (funcs == 1 ? 2 : 0), NULL, &prog);
			if (late) {
				KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 2);
				ftk_map_update(test, &m, &key, &fd);
			}
			KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 66);
			KUNIT_EXPECT_EQ(test, ftk_run(stub, &ctx), 2);
		}
	}
}

/**
 * image_throw() - an exception that is thrown in a copy is caught
 * @test: the test case
 *
 * The unwinder recognises the frames of the copy by their addresses, and finds the exception
 * callback of the program.
 */
void image_throw(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		FTK_CALL(BPF_FUNC_get_numa_node_id),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		BPF_CALL_REL(2),
		BPF_MOV64_IMM(BPF_REG_0, 77),
		BPF_EXIT_INSN(),
		/* 5: throws its argument, unless it is 78 */
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_1, 78, 1),
		ftk_kfunc(test, "bpf_throw"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS };
	const struct bpf_prog *stub;
	struct bpf_prog *prog;

	ftk_need_exceptions(test);
	stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), &opts, &prog);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), (u32)-ECANCELED);
}
