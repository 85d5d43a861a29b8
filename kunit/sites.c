// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program's stub image skips, and what it returns for it
 *
 * Tables of programs and what is decided upon their instructions, in the order
 * in which they stand there. The programs are loaded through the verifier and
 * never run. What a table does not list is no site.
 */

#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "../decision.h"
#include "../mode.h"
#include "../program.h"
#include "../verdict.h"
#include "kfuncs.h"
#include "prog.h"

/* The maps of the programs, which name them in place of a descriptor. */
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

static const struct {
	enum bpf_map_type type;
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u32 flags;
} maps[NR_UNTYPED_MAPS] = {
	[MAP_ARRAY] = { BPF_MAP_TYPE_ARRAY, 4, 8, 4 },
	[MAP_HASH] = { BPF_MAP_TYPE_HASH, 8, 8, 4 },
	[MAP_LRU_HASH] = { BPF_MAP_TYPE_LRU_HASH, 8, 8, 4 },
	[MAP_TRIE] = { BPF_MAP_TYPE_LPM_TRIE, 8, 8, 4, BPF_F_NO_PREALLOC },
	[MAP_QUEUE] = { BPF_MAP_TYPE_QUEUE, 0, 8, 4 },
	[MAP_RINGBUF] = { BPF_MAP_TYPE_RINGBUF, 0, 0, PAGE_SIZE },
	[MAP_PROGS] = { BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4 },
	[MAP_STORAGE] = { BPF_MAP_TYPE_CGROUP_STORAGE,
			  sizeof(struct bpf_cgroup_storage_key), 8 },
};

/* The kernel functions that they call, by their place in this table. */
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

static const char * const kfuncs[] = {
	[TASK_FROM_PID] = "bpf_task_from_pid",
	[TASK_ACQUIRE] = "bpf_task_acquire",
	[TASK_RELEASE] = "bpf_task_release",
	[OBJ_NEW] = "bpf_obj_new_impl",
	[OBJ_DROP] = "bpf_obj_drop_impl",
	[REFCOUNT_ACQUIRE] = "bpf_refcount_acquire_impl",
	[LIST_PUSH_BACK] = "bpf_list_push_back_impl",
	[LIST_POP_FRONT] = "bpf_list_pop_front",
	[RBTREE_ADD] = "bpf_rbtree_add_impl",
	[RBTREE_FIRST] = "bpf_rbtree_first",
	[RBTREE_REMOVE] = "bpf_rbtree_remove",
	[RCU_READ_LOCK] = "bpf_rcu_read_lock",
	[RCU_READ_UNLOCK] = "bpf_rcu_read_unlock",
	[PREEMPT_DISABLE] = "bpf_preempt_disable",
	[PREEMPT_ENABLE] = "bpf_preempt_enable",
	[ITER_NUM_NEW] = "bpf_iter_num_new",
	[ITER_NUM_NEXT] = "bpf_iter_num_next",
	[ITER_NUM_DESTROY] = "bpf_iter_num_destroy",
	[ITER_BITS_NEW] = "bpf_iter_bits_new",
	[ITER_BITS_NEXT] = "bpf_iter_bits_next",
	[ITER_BITS_DESTROY] = "bpf_iter_bits_destroy",
	[ITER_TASK_NEW] = "bpf_iter_task_new",
	[ITER_TASK_NEXT] = "bpf_iter_task_next",
	[ITER_TASK_DESTROY] = "bpf_iter_task_destroy",
	[DYNPTR_CLONE] = "bpf_dynptr_clone",
	[THROW] = "bpf_throw",
	[THING_GET] = "ftk_thing_get",
	[THING_PUT] = "ftk_thing_put",
	[THING_FIND] = "ftk_thing_find",
	[THING_FIRST] = "ftk_thing_first",
	[THING_NOTE] = "ftk_thing_note",
	[THING_COUNT] = "ftk_thing_count",
	[THING_READ] = "ftk_thing_read",
	[ITER_THING_NEW] = "bpf_iter_ftk_thing_new",
	[ITER_THING_NEXT] = "bpf_iter_ftk_thing_next",
	[ITER_THING_DESTROY] = "bpf_iter_ftk_thing_destroy",
};

static struct ftk_thing ftk_the_thing;
atomic_t ftk_things = ATOMIC_INIT(0);

void (*ftk_on_put)(void);

__bpf_kfunc_start_defs();

__bpf_kfunc struct ftk_thing *ftk_thing_get(void)
{
	atomic_inc(&ftk_things);
	return &ftk_the_thing;
}

__bpf_kfunc void ftk_thing_put(struct ftk_thing *thing)
{
	typeof(ftk_on_put) on_put = READ_ONCE(ftk_on_put);

	if (on_put)
		on_put();
	atomic_dec(&ftk_things);
}

__bpf_kfunc struct ftk_thing *ftk_thing_find(int value)
{
	return ftk_the_thing.value == value ? &ftk_the_thing : NULL;
}

__bpf_kfunc struct ftk_thing *ftk_thing_first(void)
{
	return &ftk_the_thing;
}

__bpf_kfunc void ftk_thing_note(int value)
{
	ftk_the_thing.value = value;
}

__bpf_kfunc int ftk_thing_count(void)
{
	return 1;
}

__bpf_kfunc int ftk_thing_read(void *dst, u32 dst__sz)
{
	memset(dst, 1, dst__sz);
	return 0;
}

__bpf_kfunc int bpf_iter_ftk_thing_new(struct bpf_iter_ftk_thing *it)
{
	atomic_inc(&ftk_things);
	it->next = 0;
	return 0;
}

__bpf_kfunc struct ftk_thing *
bpf_iter_ftk_thing_next(struct bpf_iter_ftk_thing *it)
{
	return it->next++ ? NULL : &ftk_the_thing;
}

__bpf_kfunc void bpf_iter_ftk_thing_destroy(struct bpf_iter_ftk_thing *it)
{
	atomic_dec(&ftk_things);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(ftk_thing_ids)
BTF_ID_FLAGS(func, ftk_thing_get, KF_ACQUIRE | KF_RET_NULL)
BTF_ID_FLAGS(func, ftk_thing_put, KF_RELEASE)
BTF_ID_FLAGS(func, ftk_thing_find, KF_RET_NULL)
BTF_ID_FLAGS(func, ftk_thing_first)
BTF_ID_FLAGS(func, ftk_thing_note)
BTF_ID_FLAGS(func, ftk_thing_count)
BTF_ID_FLAGS(func, ftk_thing_read)
BTF_ID_FLAGS(func, bpf_iter_ftk_thing_new, KF_ITER_NEW)
BTF_ID_FLAGS(func, bpf_iter_ftk_thing_next, KF_ITER_NEXT | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_ftk_thing_destroy, KF_ITER_DESTROY)
BTF_KFUNCS_END(ftk_thing_ids)

static const struct btf_kfunc_id_set ftk_thing_set = {
	.owner = THIS_MODULE,
	.set = &ftk_thing_ids,
};

/* Sleepable programs may be attached to it. */
BTF_KFUNCS_START(ftk_sleepable_ids)
BTF_ID_FLAGS(func, ftk_thing_put, KF_SLEEPABLE)
BTF_KFUNCS_END(ftk_sleepable_ids)

static const struct btf_kfunc_id_set ftk_sleepable_set = {
	.owner = THIS_MODULE,
	.set = &ftk_sleepable_ids,
};

static int __init ftk_thing_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_SCHED_CLS, &ftk_thing_set) ?:
	       register_btf_kfunc_id_set(BPF_PROG_TYPE_SYSCALL, &ftk_thing_set) ?:
	       register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &ftk_thing_set) ?:
	       register_btf_fmodret_id_set(&ftk_sleepable_set);
}
late_initcall(ftk_thing_init);

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

/* The value says failure in the way that the verifier expects. */
static const struct sites_program results[] = {
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
};

/* What is acquired can fail; what gives it back is kept. */
static const struct sites_program references[] = {
	{
		.name = "a socket",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 0),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -16),
			BPF_MOV64_IMM(BPF_REG_3,
				      sizeof_field(struct bpf_sock_tuple, ipv4)),
			BPF_MOV64_IMM(BPF_REG_4, BPF_F_CURRENT_NETNS),
			BPF_MOV64_IMM(BPF_REG_5, 0),
			FTK_CALL(BPF_FUNC_sk_lookup_tcp),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			FTK_CALL(BPF_FUNC_sk_release),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			SKIP(HELPER, NULL),
			KEEP_ARG(HELPER, RELEASES, 1),
		},
	}, {
		.name = "a task, twice",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_1, 1),
			KFUNC(TASK_FROM_PID),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 8),
			BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			KFUNC(TASK_ACQUIRE),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			KFUNC(TASK_RELEASE),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			KFUNC(TASK_RELEASE),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			SKIP(KFUNC, NULL),
			SKIP(KFUNC, NULL),
			KEEP_ARG(KFUNC, RELEASES, 1),
			KEEP_ARG(KFUNC, RELEASES, 1),
		},
	}, {
		/* A second reference to what one owns cannot fail. */
		.name = "an object of the program",
		.insns = {
			BPF_MOV64_IMM(BPF_REG_1, FTK_TYPE_NODE),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(OBJ_NEW),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 9),
			BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(REFCOUNT_ACQUIRE),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(OBJ_DROP),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			KFUNC(OBJ_DROP),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			SKIP(KFUNC, NULL),
			KEEP(KFUNC, RESULT),
			KEEP_ARG(KFUNC, RELEASES, 1),
			KEEP_ARG(KFUNC, RELEASES, 1),
		},
	}, {
		.name = "a record of a ring buffer",
		.insns = {
			MAP_FD(BPF_REG_1, MAP_RINGBUF),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			FTK_CALL(BPF_FUNC_ringbuf_reserve),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 8),
			BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
			FTK_CALL(BPF_FUNC_get_prandom_u32),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
			FTK_CALL(BPF_FUNC_ringbuf_submit),
			BPF_JMP_A(1),
			FTK_CALL(BPF_FUNC_ringbuf_discard),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			SKIP(HELPER, NULL),
			SKIP(HELPER, ECANCELED),
			KEEP_ARG(HELPER, RELEASES, 1),
			KEEP_ARG(HELPER, RELEASES, 1),
		},
	}, {
		/* The exchange itself is inlined. */
		.name = "a reference in a map",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_TYPED),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 7),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1,
				      offsetof(struct ftk_value, task)),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			FTK_CALL(BPF_FUNC_kptr_xchg),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
			KFUNC(TASK_RELEASE),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP_ARG(KFUNC, RELEASES, 1) },
	}, {
		.name = "a node that is put in a list and taken out",
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
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			FTK_CALL(BPF_FUNC_spin_lock),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1,
				      offsetof(struct ftk_value, head)),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_7),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_IMM(BPF_REG_4, 0),
			KFUNC(LIST_PUSH_BACK),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1,
				      offsetof(struct ftk_value, head)),
			KFUNC(LIST_POP_FRONT),
			BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			FTK_CALL(BPF_FUNC_spin_unlock),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_7, 0, 3),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(OBJ_DROP),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			SKIP(KFUNC, NULL),
			KEEP(HELPER, LOCKS),
			KEEP_ARG(KFUNC, RELEASES, 2),
			SKIP(KFUNC, NULL),
			KEEP(HELPER, LOCKS),
			KEEP_ARG(KFUNC, RELEASES, 1),
		},
	}, {
		.name = "a node that is put in a tree and taken out",
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
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			FTK_CALL(BPF_FUNC_spin_lock),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1,
				      offsetof(struct ftk_value, root)),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_7),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2,
				      offsetof(struct ftk_node, rb)),
			CALLBACK(BPF_REG_3, 22),
			BPF_MOV64_IMM(BPF_REG_4, 0),
			BPF_MOV64_IMM(BPF_REG_5, 0),
			KFUNC(RBTREE_ADD),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1,
				      offsetof(struct ftk_value, root)),
			KFUNC(RBTREE_FIRST),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 4),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1,
				      offsetof(struct ftk_value, root)),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_0),
			KFUNC(RBTREE_REMOVE),
			BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			FTK_CALL(BPF_FUNC_spin_unlock),
			BPF_JMP_IMM(BPF_JEQ, BPF_REG_7, 0, 4),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
			BPF_ALU64_IMM(BPF_SUB, BPF_REG_1,
				      offsetof(struct ftk_node, rb)),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			KFUNC(OBJ_DROP),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			/* less(a, b) */
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_CALLBACK,
		.sites = {
			SKIP(KFUNC, NULL),
			KEEP(HELPER, LOCKS),
			KEEP_ARG(KFUNC, RELEASES, 2),
			SKIP(KFUNC, NULL),
			SKIP(KFUNC, NULL),
			KEEP(HELPER, LOCKS),
			KEEP_ARG(KFUNC, RELEASES, 1),
		},
	},
};

/* What is entered is left: both ends are kept. Spin locks are among the lists. */
static const struct sites_program sections[] = {
	{
		.name = "RCU read-side section",
		.insns = {
			KFUNC(RCU_READ_LOCK),
			KFUNC(RCU_READ_UNLOCK),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(KFUNC, LOCKS), KEEP(KFUNC, LOCKS) },
	}, {
		.name = "section without preemption",
		.insns = {
			KFUNC(PREEMPT_DISABLE),
			KFUNC(PREEMPT_ENABLE),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(KFUNC, LOCKS), KEEP(KFUNC, LOCKS) },
	},
};

/* What constructs and destroys is kept; an iterator has nothing more to give. */
static const struct sites_program objects[] = {
	{
		.name = "iterator over numbers",
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			BPF_MOV64_IMM(BPF_REG_3, 10),
			KFUNC(ITER_NUM_NEW),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			KFUNC(ITER_NUM_NEXT),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			KFUNC(ITER_NUM_DESTROY),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_ITERATOR,
		.sites = {
			KEEP(KFUNC, OBJECT),
			SKIP(KFUNC, ZERO),
			KEEP(KFUNC, OBJECT),
		},
	}, {
		.name = "iterator over numbers, in a loop",
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			BPF_MOV64_IMM(BPF_REG_3, 1000000),
			KFUNC(ITER_NUM_NEW),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			KFUNC(ITER_NUM_NEXT),
			BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -4),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
			KFUNC(ITER_NUM_DESTROY),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_ITERATOR,
		.sites = {
			KEEP(KFUNC, OBJECT),
			SKIP(KFUNC, ZERO),
			KEEP(KFUNC, OBJECT),
		},
	}, {
		.name = "iterator over bits",
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -16),
			BPF_MOV64_IMM(BPF_REG_3, 1),
			KFUNC(ITER_BITS_NEW),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
			KFUNC(ITER_BITS_NEXT),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
			KFUNC(ITER_BITS_DESTROY),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_ITERATOR,
		.sites = {
			KEEP(KFUNC, OBJECT),
			SKIP(KFUNC, ZERO),
			KEEP(KFUNC, OBJECT),
		},
	}, {
		.name = "iterator over tasks",
		.insns = {
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			KFUNC(ITER_TASK_NEW),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
			KFUNC(ITER_TASK_NEXT),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
			KFUNC(ITER_TASK_DESTROY),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.why_long = FASTTERM_ITERATOR,
		.sites = {
			KEEP(KFUNC, OBJECT),
			SKIP(KFUNC, ZERO),
			KEEP(KFUNC, OBJECT),
		},
	}, {
		.name = "dynptr to a record of a ring buffer",
		.insns = {
			MAP_FD(BPF_REG_1, MAP_RINGBUF),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_REG(BPF_REG_4, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, -16),
			FTK_CALL(BPF_FUNC_ringbuf_reserve_dynptr),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			FTK_CALL(BPF_FUNC_ringbuf_submit_dynptr),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = { KEEP(HELPER, OBJECT), KEEP(HELPER, OBJECT) },
	}, {
		/* The second one takes the place of the first. */
		.name = "dynptr to the value of a map, twice",
		.insns = {
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
			MAP_FD(BPF_REG_1, MAP_ARRAY),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
			FTK_CALL(BPF_FUNC_map_lookup_elem),
			BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
			BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_MOV64_IMM(BPF_REG_2, 8),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_REG(BPF_REG_4, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, -24),
			FTK_CALL(BPF_FUNC_dynptr_from_mem),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			BPF_MOV64_IMM(BPF_REG_2, 4),
			BPF_MOV64_IMM(BPF_REG_3, 0),
			BPF_MOV64_REG(BPF_REG_4, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, -24),
			FTK_CALL(BPF_FUNC_dynptr_from_mem),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
			BPF_MOV64_IMM(BPF_REG_2, 0),
			BPF_MOV64_IMM(BPF_REG_3, 4),
			FTK_CALL(BPF_FUNC_dynptr_data),
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
			BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -40),
			KFUNC(DYNPTR_CLONE),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.sites = {
			KEEP(HELPER, OBJECT),
			KEEP(HELPER, OBJECT),
			SKIP(HELPER, NULL),
			KEEP(KFUNC, OBJECT),
		},
	},
};

/* Memory that is believed to be written is written. */
static const struct sites_program fills[] = {
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
		/* It may not be on a path that is pruned, as these programs may. */
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
		/* Not even where it is a pointer, or was not initialised. */
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
		/* What is in r5 is no argument, even if it fits. */
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
};

/* What holds in every state in which the verifier comes by. */
static const struct sites_program visits[] = {
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
		/* The path on which it is not is pruned, where states are kept. */
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
		/* Alone, the one could be filled and the other be skipped. */
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
		/* Alone, the one that has given its node away could fail. */
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
};

/* Loops whose test is the verifier's own are left there. */
static const struct sites_program loops[] = {
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
};

/* Calls that leave the function, or the program. */
static const struct sites_program calls[] = {
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
};

/* Why a program can run for long, where it has no sites that tell. */
static const struct sites_program lengths[] = {
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
		/* Of many instructions: what takes the verifier time is to compare turns. */
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
		.name = "back, with a global function, whose turns are seen once",
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
		.why_long = FASTTERM_BACK_EDGE,
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
};

/* Kernel functions that were added later. */
static const struct sites_program tomorrow[] = {
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
};

/* Put descriptors and ids in place of the names of maps and functions. */
static void link_program(struct kunit *test, struct bpf_insn *insns, u32 cnt,
			 struct ftk_map *m)
{
	u32 i;

	for (i = 0; i < cnt; i++) {
		struct bpf_insn *insn = &insns[i];

		if (insn->code == (BPF_JMP | BPF_CALL) &&
		    insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
			*insn = ftk_kfunc(test, kfuncs[insn->imm]);
		} else if (insn->code == (BPF_LD | BPF_IMM | BPF_DW) &&
			   insn->src_reg == BPF_PSEUDO_MAP_FD) {
			u32 which = insn->imm;

			if (!m[which].map && which == MAP_TYPED)
				m[which] = ftk_map_typed(test);
			else if (!m[which].map)
				m[which] = ftk_map(test, maps[which].type,
						   maps[which].key_size,
						   maps[which].value_size,
						   maps[which].max_entries,
						   maps[which].flags);
			insn->imm = m[which].fd;
		}
	}
}

static struct bpf_prog *load_program(struct kunit *test,
				     const struct sites_program *p)
{
	struct bpf_insn insns[ARRAY_SIZE(p->insns)];
	struct ftk_map m[NR_MAPS] = {};
	struct ftk_opts opts = {
		.type = p->type ?: BPF_PROG_TYPE_SCHED_CLS,
		.flags = p->flags,
		.globals = p->globals,
	};
	u32 cnt = ARRAY_SIZE(insns);

	/* The last instruction is an exit, the rest of the array is empty. */
	while (!p->insns[cnt - 1].code)
		cnt--;
	memcpy(insns, p->insns, sizeof(insns));
	link_program(test, insns, cnt, m);
	if (m[MAP_TYPED].map)
		opts.types = &m[MAP_TYPED];
	return ftk_load(test, insns, cnt, &opts);
}

/* Whether a site of this kind can be such an instruction. */
static bool fits(u8 kind, const struct bpf_insn *insn)
{
	switch (kind) {
	case FASTTERM_HELPER:
		return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg;
	case FASTTERM_KFUNC:
		return insn->code == (BPF_JMP | BPF_CALL) &&
		       insn->src_reg == BPF_PSEUDO_KFUNC_CALL;
	case FASTTERM_SUBPROG:
		return insn->code == (BPF_JMP | BPF_CALL) &&
		       insn->src_reg == BPF_PSEUDO_CALL;
	case FASTTERM_TAIL_CALL:
		return insn->code == (BPF_JMP | BPF_TAIL_CALL);
	case FASTTERM_LOOP:
		return insn->code == (BPF_JMP | BPF_JGE | BPF_X) ||
		       (insn->code == (BPF_JMP | BPF_JEQ | BPF_K) &&
			insn->dst_reg == BPF_REG_AX);
	default:
		return false;
	}
}

static void expect_site(struct kunit *test, const struct bpf_prog *prog, u32 i,
			const struct sites_expected *expected)
{
	const struct fastterm_site *site = &prog->aux->fastterm.prog->sites[i];
	const struct fastterm_decision *d = &site->decision;
	const u8 kind = d->kind, why = d->why, arg = d->arg;

	KUNIT_EXPECT_EQ_MSG(test, kind, expected->kind, "kind of site %u", i);
	KUNIT_EXPECT_EQ_MSG(test, why, expected->why, "why site %u is kept", i);
	KUNIT_EXPECT_TRUE_MSG(test, fits(kind, &prog->insnsi[site->insn]),
			      "instruction of site %u", i);
	if (why) {
		KUNIT_EXPECT_EQ_MSG(test, arg, expected->arg,
				    "argument of site %u", i);
		return;
	}
	KUNIT_EXPECT_EQ_MSG(test, site->value, expected->value,
			    "value of site %u", i);
	KUNIT_EXPECT_EQ_MSG(test, d->fill & BIT(0), expected->fill ? BIT(0) : 0,
			    "whether site %u fills", i);
	if (expected->fill)
		KUNIT_EXPECT_EQ_MSG(test, d->fill & ~BIT(0),
				    BIT(expected->fill),
				    "what site %u fills", i);
}

static int mode_before;

/* Nothing is decided of programs that get no image. */
static int sites_init(struct kunit *test)
{
	mode_before = fastterm_mode;
	fastterm_mode = FASTTERM_MODE_ALL;
	return 0;
}

static void sites_exit(struct kunit *test)
{
	fastterm_mode = mode_before;
}

static void sites_check(struct kunit *test)
{
	const struct sites_program *p = test->param_value;
	const struct fastterm_prog *fprog;
	struct bpf_prog *prog;
	u32 i, nr = 0;

	if (p->throws && !bpf_jit_supports_exceptions())
		kunit_skip(test, "the JIT does not support exceptions");

	prog = load_program(test, p);
	fprog = prog->aux->fastterm.prog;
	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_EXPECT_EQ(test, fprog->why_long, p->why_long);
	/* No decision costs a program its image. */
	KUNIT_EXPECT_EQ(test, fprog->verdict.why, FASTTERM_REFUSED_NOT);

	while (nr < ARRAY_SIZE(p->sites) && p->sites[nr].kind)
		nr++;
	KUNIT_ASSERT_EQ(test, fprog->nr_sites, nr);
	for (i = 0; i < nr; i++) {
		if (i)
			KUNIT_EXPECT_GT(test, fprog->sites[i].insn,
					fprog->sites[i - 1].insn);
		expect_site(test, prog, i, &p->sites[i]);
	}
}

/* The last case: by now, all programs of the suite must be gone. */
static void sites_unload(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ftk_drain(), 0);
}

KUNIT_ARRAY_PARAM_DESC(results, results, name);
KUNIT_ARRAY_PARAM_DESC(references, references, name);
KUNIT_ARRAY_PARAM_DESC(sections, sections, name);
KUNIT_ARRAY_PARAM_DESC(objects, objects, name);
KUNIT_ARRAY_PARAM_DESC(fills, fills, name);
KUNIT_ARRAY_PARAM_DESC(visits, visits, name);
KUNIT_ARRAY_PARAM_DESC(loops, loops, name);
KUNIT_ARRAY_PARAM_DESC(calls, calls, name);
KUNIT_ARRAY_PARAM_DESC(lengths, lengths, name);
KUNIT_ARRAY_PARAM_DESC(tomorrow, tomorrow, name);

#define SITES_CASE(table) { \
	.run_case = sites_check, \
	.name = "sites_" #table, \
	.generate_params = table##_gen_params, \
	.module_name = KBUILD_MODNAME, \
}

static struct kunit_case sites_cases[] = {
	SITES_CASE(results),
	SITES_CASE(references),
	SITES_CASE(sections),
	SITES_CASE(objects),
	SITES_CASE(fills),
	SITES_CASE(visits),
	SITES_CASE(loops),
	SITES_CASE(calls),
	SITES_CASE(lengths),
	SITES_CASE(tomorrow),
	KUNIT_CASE(sites_unload),
	{}
};

static struct kunit_suite sites_suite = {
	.name = "fastterm_sites",
	.init = sites_init,
	.exit = sites_exit,
	.test_cases = sites_cases,
};

kunit_test_suite(sites_suite);
