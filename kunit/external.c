// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub images of the programs of lib/test_bpf.c, which were written to make a JIT emit each of
 * its instructions.
 *
 * These programs do not pass through the verifier, so there are no decisions: their images are
 * plain copies, and have to give the same results as the originals for the same data.
 *
 * lib/test_bpf.c is a module that runs its tests when it is loaded, and the kernels that are
 * tested have no modules. So the file is included here, for its programs and for the functions
 * that create and run them, without its module functions and its output.
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
 * One in this many of the large programs is tried. All of them take minutes under emulation,
 * most of which is spent in the JIT. external.large_step=1 on the kernel's command line tries
 * all.
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
 * struct tally - the number of programs by result
 * @same: the image is a faithful copy and gives the same results
 * @refused: the program is meant to be refused
 * @not_jited: the architecture's JIT does not support the program
 * @too_large: the image is larger than the reach of its calls
 */
struct tally {
	u32 same;
	u32 refused;
	u32 not_jited;
	u32 too_large;
};

/* Under KASAN one in this many programs is tried; without KASAN all of them are. */
#define STEP (IS_ENABLED(CONFIG_KASAN) ? 4 : 1)

static struct cpumask away;

/*
 * Some machines interrupt all CPUs and wait for them whenever code is written. This suite writes
 * code thousands of times, and emulated CPUs respond late: take all but one offline.
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

	/*
	 * CPUs that come online may continue the last line of the log, which must not be a test
	 * result.
	 */
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

/* The image of a program, after it has been compared. NULL, and counted, if there is none. */
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

/* Large programs set nr_testruns, so that lib/test_bpf.c does not run them a thousand times. */
static bool is_large(const struct bpf_test *t)
{
	return t->nr_testruns;
}

static bool is_not_large(const struct bpf_test *t)
{
	return !is_large(t);
}

/*
 * The program is in the table itself. Blinding takes time quadratic in the length of the
 * program.
 */
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
		/* A single run is enough. */
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

/* With constant blinding, the JIT gets other instructions than the program has. */
static void external_blinded(struct kunit *test)
{
	bpf_jit_harden = 2;
	check_programs(test, is_short, STEP, 700 / STEP);
}

/* Programs of a hundred thousand instructions, of the same kinds as in the others. */
static void external_large(struct kunit *test)
{
	const u32 step = STEP * max(large_step, 1);

	check_programs(test, is_large, step, 145 / step);
}

/*
 * A tail call from an image enters the original of its target, and is counted as in the
 * original: programs that call themselves stop at the same depth.
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
