// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of entering a program that is quarantined, in instructions
 *
 * The cases need a machine whose clock counts instructions (boot parameter fastterm_icount) and
 * are skipped elsewhere.
 */

#include <linux/bpf.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/irqflags.h>
#include <linux/sched/clock.h>

#include <kunit/test.h>

#include "prog.h"
#include "runaway.h"

#define NR_ENTRIES	1000

/* The most instructions that one entry may take, with those of the loop around it. */
#define MOST		30

static const struct entered {
	const char *name;
	struct ftk_opts opts;
	u32 result;
	bool stub;
} entereds[] = {
	{ "a program that does nothing", { .type = BPF_PROG_TYPE_RAW_TRACEPOINT }, 0 },
	{ "a program that denies",
	  { .type = BPF_PROG_TYPE_CGROUP_SKB,
	    .expected_attach_type = BPF_CGROUP_INET_INGRESS }, 1 },
	{ "a program that runs its stub image", { .type = BPF_PROG_TYPE_XDP }, 2, true },
};

KUNIT_ARRAY_PARAM_DESC(entereds, entereds, name);

/* In ns, which are instructions, for all entries together. */
static u64 enter(const struct bpf_prog *prog)
{
	u64 ctx[MAX_BPF_FUNC_ARGS] = {}, begin;
	unsigned long flags;
	u32 i;

	local_irq_save(flags);
	begin = sched_clock();
	for (i = 0; i < NR_ENTRIES; i++)
		prog->bpf_func(ctx, prog->insnsi);
	begin = sched_clock() - begin;
	local_irq_restore(flags);
	return begin;
}

static void quarantine_entry(struct kunit *test)
{
	const struct entered *e = test->param_value;
	const struct bpf_insn insns[] = {
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_IMM(BPF_REG_0, e->result),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), &e->opts);
	u64 before = enter(prog), quarantined;

	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(prog, true));
	quarantined = enter(prog);
	kunit_info(test, "%s: an entry takes %llu instructions, and %llu if it is quarantined\n",
		   e->name, before / NR_ENTRIES, quarantined / NR_ENTRIES);
	KUNIT_EXPECT_LT(test, quarantined, before);
	/* The path through the stub image is the program's own. */
	if (!e->stub)
		KUNIT_EXPECT_LE(test, quarantined, MOST * NR_ENTRIES);
}

static struct kunit_case entrycost_cases[] = {
	KUNIT_CASE_PARAM(quarantine_entry, entereds_gen_params),
	{}
};

static struct kunit_suite entrycost_suite = {
	.name = "fastterm_icount_quarantine",
	.init = ftk_icount_init,
	.exit = ftk_icount_exit,
	.test_cases = entrycost_cases,
};

kunit_test_suite(entrycost_suite);
