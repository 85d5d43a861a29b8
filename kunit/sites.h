/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of programs, and what is decided upon their instructions
 *
 * Each table is about one concept, and ends with an empty program. The suite
 * fastterm_sites, in sites.c, goes through them. A program names the maps and the
 * functions of the kernel that it uses by their place in tables there.
 */
#ifndef _BPF_FASTTERM_KUNIT_SITES_H
#define _BPF_FASTTERM_KUNIT_SITES_H

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/types.h>

#include "../internal.h"

/* The maps of the programs, in place of a descriptor. */
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

/* The kernel functions of the programs, in place of an id. */
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
 * struct sites_expected - a site, and what is expected of it
 * @kind: its enum fastterm_kind
 * @why: its enum fastterm_why
 * @arg: the argument that @why is about
 * @fill: the argument that the stub has to fill, 0 if none
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
 * struct sites_program - a program, and what is expected of it
 * @name: what it is about
 * @type: program type; BPF_PROG_TYPE_SCHED_CLS if left 0
 * @flags: as in &struct ftk_opts
 * @globals: as in &struct ftk_opts
 * @throws: it needs a JIT that supports exceptions
 * @insns: the program
 * @why_long: why it can run for long
 * @sites: its sites
 */
struct sites_program {
	const char *name;
	enum bpf_prog_type type;
	u32 flags;
	u32 globals;
	bool throws;
	struct bpf_insn insns[56];
	enum fastterm_long why_long;
	struct sites_expected sites[10];
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
 * What is expected of a site: it is skipped with a result, or skipped after an
 * argument has been filled, or kept for a reason, which may be about one of its
 * arguments, or it is a test or a tail call whose way out is taken.
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
