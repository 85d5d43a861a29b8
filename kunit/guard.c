// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guards: programs that permit or deny what their caller is about to do
 *
 * A program calls a guarded function again and again, and is terminated while the guard runs.
 * The guard is not terminated with it: it denies each call, and the guarded function is never
 * entered.
 */

#include <linux/bpf.h>
#include <linux/errno.h>

#include <kunit/test.h>

#include "attach.h"
#include "kfuncs.h"
#include "map.h"
#include "prog.h"
#include "runaway.h"

/* A thousand terminations in all. */
#define NR_KICKS	500

/* The program is kicked up to this many ns after it has been entered. */
#define PHASE_NS	20000

/* Number of elements of the map that a guard walks through. */
#define NR_RULES	16

/*
 * A guard that denies if it finds a thing. In its stub image, the call that finds the thing is
 * skipped, and the guard permits.
 */
static u32 guard_finding(struct kunit *test, struct bpf_insn *to, const struct ftk_map *rules)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, 0),
		ftk_kfunc(test, "ftk_thing_find"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, -EPERM),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	memcpy(to, insns, sizeof(insns));
	return ARRAY_SIZE(insns);
}

/*
 * A guard that denies if it has walked through all of its rules: its loop over a callback must
 * not be ended because its caller is terminated.
 */
static u32 guard_walking(struct kunit *test, struct bpf_insn *to, const struct ftk_map *rules)
{
	const struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_1, rules->fd),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 9),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_for_each_map_elem),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, NR_RULES, 2),
		BPF_MOV64_IMM(BPF_REG_0, -EPERM),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* The callback. */
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	memcpy(to, insns, sizeof(insns));
	return ARRAY_SIZE(insns);
}

static const struct guard {
	const char *name;
	u32 (*make)(struct kunit *test, struct bpf_insn *to, const struct ftk_map *rules);
	u32 flags;
} guards[] = {
	{ "a guard that finds something", guard_finding },
	{ "a guard that walks through a map", guard_walking },
	{ "a guard that may sleep and finds something", guard_finding, BPF_F_SLEEPABLE },
	{ "a guard that may sleep and walks through a map", guard_walking, BPF_F_SLEEPABLE },
};

KUNIT_ARRAY_PARAM_DESC(guards, guards, name);

static void guard_denies(struct kunit *test)
{
	const struct guard *g = test->param_value;
	const struct ftk_opts guarding = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_MODIFY_RETURN,
		.flags = g->flags,
		.func = "ftk_guarded",
	};
	const struct ftk_opts calling = {
		.type = g->flags ? BPF_PROG_TYPE_SYSCALL : BPF_PROG_TYPE_TRACEPOINT,
		.flags = g->flags,
	};
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map rules = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, NR_RULES, 0);
	const struct bpf_insn body[] = { ftk_kfunc(test, "ftk_guarded") };
	struct ftk_shape shape = {
		2, .out_of_line = !g->flags, .entered = &entered, .body = FTK_SNIPPET(body),
	};
	struct bpf_insn insns[32];
	u32 before;

	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		kunit_skip(test, "no ftrace direct calls: no trampolines for functions");
	ftk_attach(test, ftk_load(test, insns, g->make(test, insns, &rules), &guarding));
	before = atomic_read(&ftk_nr_permitted);
	ftk_kick(test, ftk_runner(test, &shape, &calling), NR_KICKS, PHASE_NS, 50);
	KUNIT_EXPECT_EQ(test, atomic_read(&ftk_nr_permitted), before);
}

static struct kunit_case guard_cases[] = {
	KUNIT_CASE_PARAM_ATTR(guard_denies, guards_gen_params, { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite guard_suite = {
	.name = "fastterm_guard",
	.init = ftk_requester_init,
	.exit = ftk_requester_exit,
	.test_cases = guard_cases,
};

kunit_test_suite(guard_suite);
