// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub images of programs that others wrote: those of lib/test_bpf.c, which were
 * written to bring out every instruction that a JIT emits.
 *
 * They go past the verifier, so there are no decisions on them: their images are
 * plain copies, which do what the originals do, on the same data.
 *
 * That file is a module which tests when it is loaded, and these kernels have no
 * modules. It is included for its programs and for the functions that make and
 * run them, without what makes it a module and what it prints.
 */

#include <linux/cpu.h>
#include <linux/fastterm.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

#include <kunit/test.h>

#include "../image.h"
#include "../program.h"
#include "compare.h"

/*
 * Of the large programs, one in how many is tried. All of them take minutes under
 * emulation, more for the JIT than for us: external.large_step=1 on the kernel's
 * command line is for who has those.
 */
static int large_step = 16;
module_param(large_step, int, 0444);

#undef __exit
#undef __init
#undef module_exit
#undef module_init
#undef module_param
#undef module_param_array
#undef module_param_string
#undef pr_cont
#undef pr_fmt

#define __exit __maybe_unused
#define __init __maybe_unused
#define module_exit(...)
#define module_init(...)
#define module_param(...)
#define module_param_array(...)
#define module_param_string(...)
#define pr_cont no_printk

#include "../../../../lib/test_bpf.c"

/**
 * struct tally - what became of the programs
 * @same: their images are true copies that do the same
 * @refused: they are not meant to be accepted
 * @not_jited: this architecture's JIT cannot do them
 * @too_large: their images are larger than their calls reach
 */
struct tally {
	u32 same;
	u32 refused;
	u32 not_jited;
	u32 too_large;
};

/* Where everything is checked, one in how many: all of them are tried where it is not. */
#define STEP (IS_ENABLED(CONFIG_KASAN) ? 4 : 1)

static struct cpumask away;

/*
 * Some machines interrupt every CPU, and wait for it, whenever code is written. It
 * is written thousands of times here, and emulated CPUs answer late: one remains.
 */
static int external_suite_init(struct kunit_suite *suite)
{
	u32 cpu;

	for_each_present_cpu(cpu)
		if (cpu && cpu_online(cpu) && !remove_cpu(cpu))
			cpumask_set_cpu(cpu, &away);
	return 0;
}

static void external_suite_exit(struct kunit_suite *suite)
{
	u32 cpu;

	/* Some of them continue the last line, which must not be a result. */
	pr_info("other CPUs come back\n");
	for_each_cpu(cpu, &away)
		add_cpu(cpu);
	cpumask_clear(&away);
}

static int harden_before;

static int external_init(struct kunit *test)
{
	if (!fastterm_supported())
		kunit_skip(test, "no fastterm backend for this architecture");
	harden_before = bpf_jit_harden;
	return 0;
}

static void external_exit(struct kunit *test)
{
	if (fastterm_supported())
		bpf_jit_harden = harden_before;
}

/* The image of a program, which is compared; NULL, and accounted for, if there is none. */
static struct fastterm_prog *copy_of(struct kunit *test, struct bpf_prog *p,
				     const char *descr, struct tally *tally)
{
	struct fastterm_prog *fprog = kunit_kzalloc(test, sizeof(*fprog), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, fprog);
	fprog->nr_funcs = 1;
	err = fastterm_images_build(p, fprog);
	if (err == -ERANGE) {
		kunit_info(test, "%u bytes are too large: %s\n", p->jited_len, descr);
		tally->too_large++;
		return NULL;
	}
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "%s", descr);
	ftk_compare_image(test, p, fprog, 0);
	return fprog;
}

static void check_program(struct kunit *test, int which, struct tally *tally)
{
	struct bpf_test *t = &tests[which];
	struct fastterm_prog *fprog;
	struct bpf_prog *p;
	int err;

	if (t->fill_helper)
		KUNIT_ASSERT_EQ(test, t->fill_helper(t), 0);
	p = generate_filter(which, &err);
	if (t->fill_helper)
		kfree(t->u.ptr.insns);
	if (!p && !err) {
		tally->refused++;
		return;
	}
	if (!p) {
		KUNIT_EXPECT_EQ_MSG(test, err, -ENOTSUPP, "%s", t->descr);
		kunit_info(test, "not JITed: %s\n", t->descr);
		tally->not_jited++;
		return;
	}
	KUNIT_EXPECT_EQ_MSG(test, run_one(p, t), 0, "original: %s", t->descr);
	fprog = copy_of(test, p, t->descr, tally);
	if (fprog) {
		KUNIT_EXPECT_EQ_MSG(test, run_one(fprog->images[0]->shadow, t), 0,
				    "copy: %s", t->descr);
		fastterm_images_free(fprog);
		tally->same++;
	}
	release_filter(p, which);
}

/*
 * Some are so large that their author does not run them a thousand times as he
 * does the others.
 */
static bool is_large(const struct bpf_test *t)
{
	return t->nr_testruns;
}

static bool is_not_large(const struct bpf_test *t)
{
	return !is_large(t);
}

/* It fits into the table. Blinding takes time by the square of the length. */
static bool is_short(const struct bpf_test *t)
{
	return !t->fill_helper;
}

static void check_programs(struct kunit *test, bool (*wanted)(const struct bpf_test *t),
			   u32 step, u32 at_least)
{
	struct tally tally = {};
	u32 i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		const int runs = tests[i].nr_testruns;

		if (!wanted(&tests[i]) || nr++ % step)
			continue;
		/* One run tells what a thousand do. */
		tests[i].nr_testruns = 1;
		check_program(test, i, &tally);
		tests[i].nr_testruns = runs;
		cond_resched();
	}
	kunit_info(test, "one in %u of %u programs: %u copied, %u refused, %u not JITed, %u too large\n",
		   step, nr, tally.same, tally.refused, tally.not_jited, tally.too_large);
	KUNIT_EXPECT_GE(test, tally.same, at_least);
}

static void external_programs(struct kunit *test)
{
	check_programs(test, is_not_large, STEP, 890 / STEP);
}

/* What the JIT is given has other instructions than the program has. */
static void external_blinded(struct kunit *test)
{
	bpf_jit_harden = 2;
	check_programs(test, is_short, STEP, 700 / STEP);
}

/* A hundred thousand instructions, of the kinds that the others have. */
static void external_large(struct kunit *test)
{
	const u32 step = STEP * max(large_step, 1);

	check_programs(test, is_large, step, 145 / step);
}

/*
 * Tail calls from an image go to the original of what they call, and count as
 * the original's do: those that call themselves stop at the same depth.
 */
static void external_tail_calls(struct kunit *test)
{
	struct tally tally = {};
	struct bpf_array *progs;
	int i;

	KUNIT_ASSERT_EQ(test, prepare_tail_call_tests(&progs), 0);
	for (i = 0; i < ARRAY_SIZE(tail_call_tests); i++) {
		const struct tail_call_test *t = &tail_call_tests[i];
		struct fastterm_prog *fprog = copy_of(test, progs->ptrs[i], t->descr, &tally);
		int state = 0, ret;
		u64 duration;

		KUNIT_ASSERT_NOT_NULL(test, fprog);
		ret = __run_one(fprog->images[0]->shadow,
				t->flags & FLAG_NEED_STATE ? &state : NULL,
				MAX_TESTRUNS, &duration);
		if (t->flags & FLAG_RESULT_IN_STATE)
			ret = state;
		KUNIT_EXPECT_EQ_MSG(test, ret, t->result, "%s", t->descr);
		fastterm_images_free(fprog);
	}
	destroy_tail_call_tests(progs);
}

static struct kunit_case external_cases[] = {
	KUNIT_CASE_SLOW(external_programs),
	KUNIT_CASE_SLOW(external_blinded),
	KUNIT_CASE_SLOW(external_large),
	KUNIT_CASE(external_tail_calls),
	{}
};

static struct kunit_suite external_suite = {
	.name = "fastterm_external",
	.suite_init = external_suite_init,
	.suite_exit = external_suite_exit,
	.init = external_init,
	.exit = external_exit,
	.test_cases = external_cases,
};

kunit_test_suite(external_suite);
