// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions on calls that the verifier visits more than once; see sites.h
 *
 * A decision has to hold in each state in which a program can reach the call.
 */

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/stddef.h>

#include "btf.h"
#include "prog.h"
#include "sites.h"

/* The arguments of the call differ from path to path. */
const struct sites_program ftk_sites_visits[] = {
	{
		.name = "a lookup in either of two maps: NULL in both",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
			MAP_FD(BPF_REG_1, MAP_TRIE),
			BPF_JMP_A(2),
			MAP_FD(BPF_REG_1, MAP_HASH),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, ECANCELED), SKIP(HELPER, NULL) },
	}, {
		.name = "memory that is initialised on one path: fill",
		.insns = {
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel),
			BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, ECANCELED), FILL(HELPER, 1) },
	}, {
		/*
		 * The path on which the memory is not initialised is pruned, where states are
		 * kept.
		 */
		.name = "memory that is initialised on the path that is explored: fill",
		.flags = BPF_F_TEST_STATE_FREQ,
		.insns = {
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 4),
			BPF_STX_MEM(BPF_H, BPF_REG_10, BPF_REG_0, -8),
			BPF_STX_MEM(BPF_H, BPF_REG_10, BPF_REG_0, -6),
			BPF_STX_MEM(BPF_H, BPF_REG_10, BPF_REG_0, -4),
			BPF_STX_MEM(BPF_H, BPF_REG_10, BPF_REG_0, -2),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel),
			BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, ECANCELED), FILL(HELPER, 1) },
	}, {
		.name = "other memory of another size on each path: fill",
		.insns = {
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 4),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_JMP_A(3),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
			BPF_MOV64_IMM(BPF_REG_2, 16),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, ECANCELED), FILL(HELPER, 1) },
	}, {
		/* On its own, one of the calls could be filled and the other one skipped. */
		.name = "memory on the stack or in a map: kept",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_ARRAY),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
			BPF_MOV64_REG(BPF_REG_0, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, -16),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(HELPER, FILLS) },
	}, {
		/* On its own, the call for the node that has been given away could fail. */
		.name = "a reference to what one owns or has given away: kept",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_TYPED),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
			BPF_MOV64_IMM(BPF_REG_1, FTK_TYPE_NODE),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(OBJ_NEW),
			BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_MOV64_REG(BPF_REG_9, BPF_REG_0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			FTK_CALL(BPF_FUNC_spin_lock),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_9, 0, 6),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1,
				      offsetof(struct ftk_value, head)),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_7),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_IMM(BPF_REG_4, 0),
			KFUNC(LIST_PUSH_BACK),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(REFCOUNT_ACQUIRE),
			BPF_MOV64_REG(BPF_REG_8, BPF_REG_0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			FTK_CALL(BPF_FUNC_spin_unlock),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_8, 0, 3),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_8),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(OBJ_DROP),
			BPF_JMP_IMM(BPF_JNE, BPF_REG_9, 0, 3),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(OBJ_DROP),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			SKIP(KFUNC, NULL),
			SKIP(HELPER, ECANCELED),
			KEEP(HELPER, LOCKS),
			KEEP_ARG(KFUNC, RELEASES, 2),
			KEEP(KFUNC, RESULT),
			KEEP(HELPER, LOCKS),
			KEEP_ARG(KFUNC, RELEASES, 1),
			KEEP_ARG(KFUNC, RELEASES, 1),
		},
	},
	{}
};
