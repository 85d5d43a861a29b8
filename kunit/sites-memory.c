// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions on calls that write to the program's memory; see sites.h
 */

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/sched.h>

#include "prog.h"
#include "sites.h"

/* The stub fills the memory that the verifier treats as written by the call. */
const struct sites_program ftk_sites_fills[] = {
	{
		.name = "memory that was not initialised",
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { FILL(HELPER, 1) },
	}, {
		.name = "the name of the task",
		.type = BPF_PROG_TYPE_RAW_TRACEPOINT,
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -TASK_COMM_LEN),
			BPF_MOV64_IMM(BPF_REG_2, TASK_COMM_LEN),
			FTK_CALL(BPF_FUNC_get_current_comm),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { FILL(HELPER, 1) },
	}, {
		.name = "the third argument",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_2, 0),
			BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -12),
			BPF_MOV64_IMM(BPF_REG_4, 12),
			FTK_CALL(BPF_FUNC_skb_load_bytes),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { FILL(HELPER, 3) },
	}, {
		.name = "a pointer that was spilled",
		.insns = {
			BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -8),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { FILL(HELPER, 1) },
	}, {
		.name = "a caller's memory",
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_CALL_REL(2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(SUBPROG, SUBPROG_CALL), FILL(HELPER, 1) },
	}, {
		/*
		 * The memory may be uninitialised on a path that was pruned, since the loader may
		 * read uninitialised stack.
		 */
		.name = "memory that was initialised: fill nevertheless",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { FILL(HELPER, 1) },
	}, {
		/* This holds for a key that is a pointer, and for one that is not initialised. */
		.name = "a key is only read: no need",
		.insns = {
			BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -8),
			MAP_FD(BPF_REG_1, MAP_TRIE),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			MAP_FD(BPF_REG_1, MAP_TRIE),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -16),
			FTK_CALL(BPF_FUNC_map_delete_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, NULL), SKIP(HELPER, ECANCELED) },
	}, {
		/* R5 is not an argument of the helper, even though its value is the size. */
		.name = "memory of a size that no argument has: kept",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_REG(BPF_REG_4, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, -16),
			BPF_MOV64_IMM(BPF_REG_5, 8),
			FTK_CALL(BPF_FUNC_strtol),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(HELPER, FILLS) },
	}, {
		.name = "memory of the size of a map's value: kept",
		.insns = {
			MAP_FD(BPF_REG_1, MAP_QUEUE),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_pop_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(HELPER, FILLS) },
	},
	{}
};
