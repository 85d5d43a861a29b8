// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sites: what the stub image skips, and with which result
 *
 * The tables of sites.h have programs, with the decision on each site in the order of the
 * instructions. The programs are loaded through the verifier and are never run. Instructions
 * that a table does not list are no sites.
 */

#include <linux/bpf.h>
#include <linux/fastterm.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "../decision.h"
#include "../mode.h"
#include "../program.h"
#include "../verdict.h"
#include "map.h"
#include "mode.h"
#include "prog.h"
#include "sites.h"

/* The maps, indexed by enum sites_map. ftk_map_typed() creates the last one. */
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

/* The kernel functions, indexed by enum sites_kfunc. */
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

/* Replace the numbers of maps and functions in the program by descriptors and ids. */
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

	/* The last instruction is an exit, and the rest of the array is zero. */
	while (!p->insns[cnt - 1].code)
		cnt--;
	memcpy(insns, p->insns, sizeof(insns));
	link_program(test, insns, cnt, m);
	if (m[MAP_TYPED].map)
		opts.types = &m[MAP_TYPED];
	return ftk_load(test, insns, cnt, &opts);
}

/* Can a site of this kind be at this instruction? */
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
	const struct fastterm_site *site = &fastterm_of(prog)->sites[i];
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

/* In this mode there are decisions on all programs. Decisions need no backend. */
static int sites_init(struct kunit *test)
{
	ftk_mode_init(test);
	fastterm_mode = FASTTERM_MODE_ALL;
	return 0;
}

static void check_program(struct kunit *test, const struct sites_program *p)
{
	const struct fastterm_prog *fprog;
	struct bpf_prog *prog;
	u32 i, nr = 0;

	if (p->throws && !bpf_jit_supports_exceptions())
		kunit_skip(test, "the JIT does not support exceptions");

	prog = load_program(test, p);
	fprog = fastterm_of(prog);
	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_EXPECT_EQ(test, fprog->why_long, p->why_long);
	/* No decision makes the check refuse the image. */
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

/* In the default mode, only what may run for long is explored. The result is the same. */
static void check_needed(struct kunit *test, const struct sites_program *p)
{
	const struct fastterm_prog *fprog;

	fastterm_mode = FASTTERM_MODE_NEEDED;
	fprog = fastterm_of(load_program(test, p));
	fastterm_mode = FASTTERM_MODE_ALL;
	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_EXPECT_EQ(test, fprog->why_long, p->why_long);
	if (fastterm_supported())
		KUNIT_EXPECT_EQ(test, fprog->absence, p->why_long == FASTTERM_SHORT ?
				FASTTERM_NOT_NEEDED : FASTTERM_PRESENT);
}

/* The last case: all programs of the suite must have been freed by now. */
static void sites_unload(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ftk_drain(), 0);
}

/* The next program of a table, for KUnit. A program without a name ends the table. */
static const void *next_program(const struct sites_program *table, const void *prev, char *desc)
{
	const struct sites_program *next = prev ? (const struct sites_program *)prev + 1 : table;

	if (!next->name)
		return NULL;
	strscpy(desc, next->name, KUNIT_PARAM_DESC_SIZE);
	return next;
}

/* Define the case for a table. */
#define SITES(table) \
static const void *table##_gen_params(const void *prev, char *desc) \
{ \
	return next_program(ftk_sites_##table, prev, desc); \
} \
static void sites_##table(struct kunit *test) \
{ \
	check_program(test, test->param_value); \
	check_needed(test, test->param_value); \
}

SITES(results)
SITES(references)
SITES(sections)
SITES(objects)
SITES(fills)
SITES(visits)
SITES(loops)
SITES(calls)
SITES(lengths)
SITES(tomorrow)

static struct kunit_case sites_cases[] = {
	KUNIT_CASE_PARAM(sites_results, results_gen_params),
	KUNIT_CASE_PARAM(sites_references, references_gen_params),
	KUNIT_CASE_PARAM(sites_sections, sections_gen_params),
	KUNIT_CASE_PARAM(sites_objects, objects_gen_params),
	KUNIT_CASE_PARAM(sites_fills, fills_gen_params),
	KUNIT_CASE_PARAM(sites_visits, visits_gen_params),
	KUNIT_CASE_PARAM(sites_loops, loops_gen_params),
	KUNIT_CASE_PARAM(sites_calls, calls_gen_params),
	KUNIT_CASE_PARAM(sites_lengths, lengths_gen_params),
	KUNIT_CASE_PARAM(sites_tomorrow, tomorrow_gen_params),
	KUNIT_CASE(sites_unload),
	{}
};

static struct kunit_suite sites_suite = {
	.name = "fastterm_sites",
	.init = sites_init,
	.exit = ftk_mode_exit,
	.test_cases = sites_cases,
};

kunit_test_suite(sites_suite);
