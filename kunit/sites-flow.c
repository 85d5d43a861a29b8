// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions on loops and on calls of functions, and why programs can run for long; see sites.h
 */

#include <linux/bpf.h>
#include <linux/filter.h>

#include "prog.h"
#include "sites.h"

/* A loop whose test the verifier has inserted is left at this test. */
const struct sites_program ftk_sites_loops[] = {
	{
		.name = "bpf_loop, inlined",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_1, 1000),
			CALLBACK(BPF_REG_2, 6),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_IMM(BPF_REG_4, 0),
			FTK_CALL(BPF_FUNC_loop),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_CALLBACK,
		.sites = { CUT(LOOP), KEEP(SUBPROG, SUBPROG_CALL) },
	}, {
		.name = "bpf_loop with flags: not inlined",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_1, 1000),
			CALLBACK(BPF_REG_2, 6),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_IMM(BPF_REG_4, 1),
			FTK_CALL(BPF_FUNC_loop),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_CALLBACK,
		.sites = { SKIP(HELPER, ECANCELED) },
	}, {
		.name = "bpf_loop over either of two callbacks: not inlined",
		.insns = {
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
			CALLBACK(BPF_REG_2, 10),
			BPF_JMP_A(2),
			CALLBACK(BPF_REG_2, 9),
			BPF_MOV64_IMM(BPF_REG_1, 1000),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_IMM(BPF_REG_4, 0),
			FTK_CALL(BPF_FUNC_loop),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_CALLBACK,
		.sites = { SKIP(HELPER, ECANCELED), SKIP(HELPER, ECANCELED) },
	}, {
		.name = "every element of a map",
		.insns = {
			MAP_FD(BPF_REG_1, MAP_HASH),
			CALLBACK(BPF_REG_2, 6),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_IMM(BPF_REG_4, 0),
			FTK_CALL(BPF_FUNC_for_each_map_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_CALLBACK,
		.sites = { SKIP(HELPER, ECANCELED) },
	}, {
		.name = "may_goto out of a loop",
		.insns = {
			MAY_GOTO(1),
			BPF_JMP_A(-2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_MAY_GOTO,
		.sites = { CUT(LOOP) },
	}, {
		.name = "may_goto without a loop",
		.insns = {
			MAY_GOTO(1),
			BPF_MOV64_IMM(BPF_REG_2, 1),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_MAY_GOTO,
		.sites = { CUT(LOOP) },
	}, {
		.name = "what looks like may_goto and is not",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 8),
			BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, -8),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_2, 0, 2),
			BPF_ALU64_IMM(BPF_SUB, BPF_REG_2, 1),
			BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_2, -8),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
	}, {
		.name = "what looks like bpf_loop and is not",
		.insns = {
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
			BPF_MOV64_IMM(BPF_REG_7, 7),
			BPF_JMP_REG(BPF_JGE, BPF_REG_7, BPF_REG_6, 3),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			SKIP(HELPER, ECANCELED),
			KEEP(SUBPROG, SUBPROG_CALL),
		},
	},
	{}
};

/* Calls of functions of the program, and tail calls. */
const struct sites_program ftk_sites_calls[] = {
	{
		.name = "a static function",
		.insns = {
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(SUBPROG, SUBPROG_CALL) },
	}, {
		.name = "a global function",
		.globals = BIT(1),
		.insns = {
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(SUBPROG, ECANCELED) },
	}, {
		.name = "a tail call to a known place",
		.insns = {
			MAP_FD(BPF_REG_2, MAP_PROGS),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_tail_call),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_TAIL,
		.sites = { CUT(TAIL_CALL) },
	}, {
		.name = "a tail call to any place",
		.insns = {
			BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			MAP_FD(BPF_REG_2, MAP_PROGS),
			BPF_MOV64_REG(BPF_REG_3, BPF_REG_0),
			FTK_CALL(BPF_FUNC_tail_call),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_TAIL,
		.sites = { SKIP(HELPER, ECANCELED), CUT(TAIL_CALL) },
	}, {
		.name = "a call that does not return",
		.throws = true,
		.insns = {
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
			BPF_MOV64_IMM(BPF_REG_1, 0),
			KFUNC(THROW),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, ECANCELED), KEEP(KFUNC, NO_RETURN) },
	},
	{}
};

/* Why a program can run for long, for programs whose sites do not show it. */
const struct sites_program ftk_sites_lengths[] = {
	{
		.name = "straight on",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_SHORT,
	}, {
		.name = "forward",
		.insns = {
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_1, 0, 1),
			BPF_JMP_A(0),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_SHORT,
	}, {
		.name = "back, and the verifier has seen each turn",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_6, 0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
			BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 10, -2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_SHORT,
	}, {
		/*
		 * The loop has many instructions rather than more iterations, since comparing
		 * iterations takes the verifier a long time.
		 */
		.name = "back, for many turns",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_6, 0),
			[1 ... 40] = BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
			BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 5000, -42),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_BACK_EDGE,
	}, {
		.name = "back, with a global function, for a few turns",
		.globals = BIT(1),
		.insns = {
			BPF_MOV64_IMM(BPF_REG_6, 0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(3),
			BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 10, -4),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(SUBPROG, ECANCELED) },
		.why_long = FASTTERM_SHORT,
	}, {
		.name = "back, with a global function, whose turns are seen once",
		.globals = BIT(1),
		.insns = {
			BPF_MOV64_IMM(BPF_REG_6, 0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(3),
			BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 11, -4),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(SUBPROG, ECANCELED) },
		.why_long = FASTTERM_BACK_EDGE,
	}, {
		.name = "back, with two thousand light calls",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_6, 0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
			[2 ... 21] = FTK_CALL(BPF_FUNC_ktime_get_ns),
			BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 100, -22),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { [0 ... 19] = SKIP(HELPER, ECANCELED) },
		.why_long = FASTTERM_SHORT,
	}, {
		.name = "back, with more than two thousand light calls",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_6, 0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
			[2 ... 21] = FTK_CALL(BPF_FUNC_ktime_get_ns),
			BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 101, -22),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { [0 ... 19] = SKIP(HELPER, ECANCELED) },
		.why_long = FASTTERM_BACK_EDGE,
	}, {
		.name = "back, with a hundred heavy calls",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_6, 0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
			KFUNC(THING_COUNT),
			BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 100, -3),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(KFUNC, ECANCELED) },
		.why_long = FASTTERM_SHORT,
	}, {
		.name = "back, with more than a hundred heavy calls",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_6, 0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
			KFUNC(THING_COUNT),
			BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 101, -3),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(KFUNC, ECANCELED) },
		.why_long = FASTTERM_BACK_EDGE,
	}, {
		.name = "straight on, with a few calls in functions in functions",
		.insns = {
			BPF_CALL_REL(5),
			BPF_CALL_REL(4),
			BPF_CALL_REL(3),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_CALL_REL(5),
			BPF_CALL_REL(4),
			BPF_CALL_REL(3),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			[12 ... 17] = KFUNC(THING_COUNT),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			[0 ... 7] = KEEP(SUBPROG, SUBPROG_CALL),
			[8 ... 13] = SKIP(KFUNC, ECANCELED),
		},
		.why_long = FASTTERM_SHORT,
	}, {
		.name = "straight on, with many calls in functions in functions",
		.insns = {
			BPF_CALL_REL(5),
			BPF_CALL_REL(4),
			BPF_CALL_REL(3),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_CALL_REL(5),
			BPF_CALL_REL(4),
			BPF_CALL_REL(3),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			[12 ... 18] = KFUNC(THING_COUNT),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			[0 ... 7] = KEEP(SUBPROG, SUBPROG_CALL),
			[8 ... 14] = SKIP(KFUNC, ECANCELED),
		},
		.why_long = FASTTERM_CALLS,
	}, {
		.name = "straight on, with calls in global functions in global functions",
		.globals = BIT(1) | BIT(2),
		.insns = {
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(6),
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(4),
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(6),
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(4),
			BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			[16 ... 26] = FTK_CALL(BPF_FUNC_ktime_get_ns),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			[0 ... 5] = SKIP(SUBPROG, ECANCELED),
			[6 ... 16] = SKIP(HELPER, ECANCELED),
		},
		.why_long = FASTTERM_CALLS,
	}, {
		.name = "asleep",
		.type = BPF_PROG_TYPE_SYSCALL,
		.flags = BPF_F_SLEEPABLE,
		.insns = {
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_SLEEPABLE,
	},
	{}
};
