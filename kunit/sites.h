/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of programs, with the decisions on their sites
 *
 * Each table is about one concept and ends with an empty program. The suite fastterm_sites in
 * sites.c tests all of them. A program refers to maps and kernel functions by numbers, which
 * sites.c replaces.
 */
#ifndef _BPF_FASTTERM_KUNIT_SITES_H
#define _BPF_FASTTERM_KUNIT_SITES_H

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/types.h>

#include "../decision.h"
#include "../program.h"

/* Numbers of the maps, used in place of descriptors. */
enum sites_map {
	MAP_ARRAY,
	MAP_HASH,
	MAP_LRU_HASH,
	MAP_TRIE,
	MAP_QUEUE,
	MAP_RINGBUF,
	MAP_PROGS,
	MAP_STORAGE,
	NR_UNTYPED_MAPS,
	MAP_TYPED = NR_UNTYPED_MAPS,
	NR_MAPS,
};

/* Numbers of the kernel functions, used in place of ids. */
enum sites_kfunc {
	TASK_FROM_PID,
	TASK_ACQUIRE,
	TASK_RELEASE,
	OBJ_NEW,
	OBJ_DROP,
	REFCOUNT_ACQUIRE,
	LIST_PUSH_BACK,
	LIST_POP_FRONT,
	RBTREE_ADD,
	RBTREE_FIRST,
	RBTREE_REMOVE,
	RCU_READ_LOCK,
	RCU_READ_UNLOCK,
	PREEMPT_DISABLE,
	PREEMPT_ENABLE,
	ITER_NUM_NEW,
	ITER_NUM_NEXT,
	ITER_NUM_DESTROY,
	ITER_BITS_NEW,
	ITER_BITS_NEXT,
	ITER_BITS_DESTROY,
	ITER_TASK_NEW,
	ITER_TASK_NEXT,
	ITER_TASK_DESTROY,
	DYNPTR_CLONE,
	THROW,
	THING_GET,
	THING_PUT,
	THING_FIND,
	THING_FIRST,
	THING_NOTE,
	THING_COUNT,
	THING_READ,
	ITER_THING_NEW,
	ITER_THING_NEXT,
	ITER_THING_DESTROY,
};

/**
 * struct sites_expected - a site, and the decision that is expected
 * @kind: its enum fastterm_kind
 * @why: its enum fastterm_why
 * @arg: the argument to which @why refers
 * @fill: the argument whose memory the stub has to fill, 0 if none
 * @value: the enum fastterm_value that the stub returns
 */
struct sites_expected {
	u8 kind;
	u8 why;
	u8 arg;
	u8 fill;
	u8 value;
};

/**
 * struct sites_program - a program, and the decisions that are expected
 * @name: name of the case
 * @type: program type; BPF_PROG_TYPE_SCHED_CLS if left 0
 * @flags: as in &struct ftk_opts
 * @globals: as in &struct ftk_opts
 * @throws: the program needs a JIT that supports exceptions
 * @insns: the program
 * @why_long: the reason for which it can run for long
 * @sites: its sites, in the order of their instructions
 */
struct sites_program {
	const char *name;
	enum bpf_prog_type type;
	u32 flags;
	u32 globals;
	bool throws;
	struct bpf_insn insns[56];
	enum fastterm_long why_long;
	struct sites_expected sites[20];
};

#define MAP_FD(reg, map) \
	BPF_LD_IMM64_RAW(reg, BPF_PSEUDO_MAP_FD, map)

#define CALLBACK(reg, off) \
	BPF_LD_IMM64_RAW(reg, BPF_PSEUDO_FUNC, off)

#define KFUNC(kfunc) \
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, kfunc)

#define MAY_GOTO(off) \
	BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, off, 0)

/*
 * What is expected of a site: the call is skipped with a result; it is skipped after the memory
 * of an argument has been filled; it is kept for a reason, which may refer to an argument; or
 * the loop's test or the tail call takes its exit.
 */
#define SKIP(what, result) \
	{ .kind = FASTTERM_##what, .value = FASTTERM_##result }
#define FILL(what, argument) \
	{ .kind = FASTTERM_##what, .value = FASTTERM_ECANCELED, .fill = argument }
#define KEEP(what, reason) \
	{ .kind = FASTTERM_##what, .why = FASTTERM_##reason }
#define KEEP_ARG(what, reason, argument) \
	{ .kind = FASTTERM_##what, .why = FASTTERM_##reason, .arg = argument }
#define CUT(what) \
	{ .kind = FASTTERM_##what }

extern const struct sites_program ftk_sites_results[];
extern const struct sites_program ftk_sites_references[];
extern const struct sites_program ftk_sites_sections[];
extern const struct sites_program ftk_sites_objects[];
extern const struct sites_program ftk_sites_fills[];
extern const struct sites_program ftk_sites_visits[];
extern const struct sites_program ftk_sites_loops[];
extern const struct sites_program ftk_sites_calls[];
extern const struct sites_program ftk_sites_lengths[];
extern const struct sites_program ftk_sites_tomorrow[];

#endif /* _BPF_FASTTERM_KUNIT_SITES_H */
