// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions on the results of skipped calls; see sites.h
 */

#include <linux/bpf.h>
#include <linux/filter.h>

#include "prog.h"
#include "sites.h"

/* The result tells the program of a failure in the way that the verifier expects. */
const struct sites_program ftk_sites_results[] = {
	{
		.name = "lookup in an array: no call is left",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_ARRAY),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
	}, {
		.name = "lookup in a hash: NULL, though a part is inlined",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_HASH),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, NULL) },
	}, {
		.name = "lookup in an LRU hash: NULL, though a larger part is",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_LRU_HASH),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, NULL) },
	}, {
		.name = "lookup in a trie: NULL",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_TRIE),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, NULL) },
	}, {
		.name = "update: an error",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_HASH),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -8),
			BPF_MOV64_IMM(BPF_REG_4, BPF_ANY),
			FTK_CALL(BPF_FUNC_map_update_elem),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, ECANCELED) },
	}, {
		.name = "any number: an error",
		.insns = {
			FTK_CALL(BPF_FUNC_ktime_get_ns),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(HELPER, ECANCELED) },
	}, {
		.name = "a length or an error: an error",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_probe_read_kernel_str),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { FILL(HELPER, 1) },
	}, {
		.name = "number of the processor: verifier or JIT inline it",
		.insns = {
			FTK_CALL(BPF_FUNC_get_smp_processor_id),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
	}, {
		.name = "a pointer that is never NULL: kept",
		.type = BPF_PROG_TYPE_CGROUP_SKB,
		.insns = {
			MAP_FD(BPF_REG_1, MAP_STORAGE),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			FTK_CALL(BPF_FUNC_get_local_storage),
			BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_0, 0),
			BPF_MOV64_IMM(BPF_REG_0, 1),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(HELPER, RESULT) },
	},
	{}
};

/* The kernel functions are those of kfuncs.h, which stand for functions that are added later. */
const struct sites_program ftk_sites_tomorrow[] = {
	{
		.name = "one that acquires and one that releases",
		.insns = {
			KFUNC(THING_GET),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			KFUNC(THING_PUT),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(KFUNC, NULL), KEEP_ARG(KFUNC, RELEASES, 1) },
	}, {
		.name = "one that may return NULL and one that never does",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_1, 1),
			KFUNC(THING_FIND),
			KFUNC(THING_FIRST),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(KFUNC, NULL), KEEP(KFUNC, RESULT) },
	}, {
		.name = "one that returns nothing and one that returns a number",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_1, 1),
			KFUNC(THING_NOTE),
			KFUNC(THING_COUNT),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { SKIP(KFUNC, NULL), SKIP(KFUNC, ECANCELED) },
	}, {
		.name = "one that fills memory",
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			KFUNC(THING_READ),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { FILL(KFUNC, 1) },
	}, {
		.name = "those of an iterator",
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			KFUNC(ITER_THING_NEW),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			KFUNC(ITER_THING_NEXT),
			BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -4),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			KFUNC(ITER_THING_DESTROY),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_ITERATOR,
		.sites = {
			KEEP(KFUNC, OBJECT),
			SKIP(KFUNC, ZERO),
			KEEP(KFUNC, OBJECT),
		},
	},
	{}
};
