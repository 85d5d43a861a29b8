// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub images: they are faithful copies, and a program that is entered through its stub image
 * leaves without doing its work, and releases what it acquires.
 */

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/rcupdate.h>

#include <kunit/test.h>

#include "../encode.h"
#include "../image.h"
#include "../mode.h"
#include "../program.h"
#include "../show.h"
#include "compare.h"
#include "image.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"

/**
 * ftk_load_stub() - load a program, and compare its images with the original code
 * @test: the test case, at whose end the program is put
 * @insns: the program, as in ftk_load()
 * @cnt: number of instructions
 * @opts: options that differ from the defaults, or NULL
 * @loaded: set to the program, unless NULL
 *
 * Context: the thread of the test case.
 * Return: the stub image of the main function, which can be run like a program.
 */
const struct bpf_prog *ftk_load_stub(struct kunit *test, const struct bpf_insn *insns, u32 cnt,
				     const struct ftk_opts *opts, struct bpf_prog **loaded)
{
	struct bpf_prog *prog = ftk_load(test, insns, cnt, opts);
	const struct fastterm_prog *fprog = fastterm_of(prog);
	const struct bpf_prog *shadow;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_ASSERT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	KUNIT_ASSERT_NOT_NULL(test, fprog->images);
	for (i = 0; i < fprog->nr_funcs; i++)
		ftk_compare_image(test, prog, fprog, i);
	shadow = fprog->images[0]->shadow;
	/* The kernel finds the image by its addresses. */
	KUNIT_EXPECT_TRUE(test, is_bpf_text_address((long)shadow->bpf_func));
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, bpf_prog_ksym_find((long)shadow->bpf_func + 1),
			    (struct bpf_prog *)shadow);
	rcu_read_unlock();
	if (loaded)
		*loaded = prog;
	return shadow;
}

static void image_straight_line(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_EXIT_INSN(),
	};
	const struct bpf_prog *stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), NULL, NULL);
	struct ftk_raw_tp_ctx ctx = { .args[0] = 41 };

	KUNIT_EXPECT_EQ(test, ftk_run(stub, &ctx), 42);
}

/* Programs that cannot run for long have no image, unless the sysctl says "all". */
static void image_needed(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_prog *fprog;

	fastterm_mode = FASTTERM_MODE_NEEDED;
	fprog = fastterm_of(ftk_load(test, insns, ARRAY_SIZE(insns), NULL));
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_NOT_NEEDED);
	KUNIT_EXPECT_NULL(test, fprog->images);

	fastterm_mode = FASTTERM_MODE_OFF;
	fprog = fastterm_of(ftk_load(test, insns, ARRAY_SIZE(insns), NULL));
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_OFF);
	KUNIT_EXPECT_NULL(test, fprog->images);
}

/* Under KASAN, loading is twenty times slower. */
#define NR_CYCLES (IS_ENABLED(CONFIG_KASAN) ? 200 : 1000)

/* Images are freed with their programs. */
static void image_cycles(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_get_current_comm),
		BPF_EXIT_INSN(),
	};
	unsigned long stub;
	long before;
	int i;

	KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
	before = atomic_long_read(&fastterm_text);
	for (i = 0; i < NR_CYCLES; i++) {
		struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);

		KUNIT_ASSERT_NOT_NULL(test, fastterm_of(prog)->images);
		stub = (long)fastterm_of(prog)->images[0]->shadow->bpf_func;
		ftk_unload(test, prog);
		/* Freeing is slower than loading: wait for it from time to time. */
		if (i % 100 < 99)
			continue;
		KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
		KUNIT_EXPECT_FALSE(test, is_bpf_text_address(stub));
		KUNIT_EXPECT_EQ(test, atomic_long_read(&fastterm_text), before);
	}
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(image_straight_line),
	KUNIT_CASE(image_own_pages),
	KUNIT_CASE(image_helper),
	KUNIT_CASE(image_fill),
	KUNIT_CASE(image_fill_name),
	KUNIT_CASE(image_loop),
	KUNIT_CASE(image_may_goto),
	KUNIT_CASE(image_far),
	KUNIT_CASE_SLOW(image_large),
	KUNIT_CASE(image_call),
	KUNIT_CASE(image_global),
	KUNIT_CASE(image_tail_call),
	KUNIT_CASE(image_acquire),
	KUNIT_CASE(image_throw),
	KUNIT_CASE(image_needed),
	KUNIT_CASE(image_fault),
	KUNIT_CASE(image_show),
	KUNIT_CASE(image_show_nmi),
	KUNIT_CASE(image_counted),
	KUNIT_CASE_SLOW(image_cycles),
	{}
};

/* KUnit stores results in the cases, so that each suite needs its own. */
static struct kunit_case blinded_cases[] = {
	KUNIT_CASE(image_straight_line),
	KUNIT_CASE(image_helper),
	KUNIT_CASE(image_fill),
	KUNIT_CASE(image_fill_name),
	KUNIT_CASE(image_loop),
	KUNIT_CASE(image_may_goto),
	KUNIT_CASE(image_far),
	KUNIT_CASE(image_call),
	KUNIT_CASE(image_global),
	KUNIT_CASE(image_tail_call),
	KUNIT_CASE(image_acquire),
	KUNIT_CASE(image_throw),
	KUNIT_CASE(image_fault),
	{}
};

static struct kunit_suite image_suite = {
	.name = "fastterm_image",
	.init = ftk_all_init,
	.exit = ftk_all_exit,
	.test_cases = image_cases,
};

static int harden_before;

/* Constant blinding changes the number of instructions that the JIT gets. */
static int blinded_init(struct kunit *test)
{
	harden_before = bpf_jit_harden;
	bpf_jit_harden = 2;
	return ftk_all_init(test);
}

static void blinded_exit(struct kunit *test)
{
	ftk_all_exit(test);
	bpf_jit_harden = harden_before;
}

static struct kunit_suite blinded_suite = {
	.name = "fastterm_image_blinded",
	.init = blinded_init,
	.exit = blinded_exit,
	.test_cases = blinded_cases,
};

kunit_test_suites(&image_suite, &blinded_suite);
