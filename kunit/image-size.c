// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub images of large programs; see image.h
 */

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/cfi.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "../encode.h"
#include "../image.h"
#include "../mode.h"
#include "../program.h"
#include "compare.h"
#include "image.h"
#include "prog.h"
#include "run.h"

/**
 * image_far() - leave a loop whose body is longer than the reach of short branches
 * @test: the test case
 */
void image_far(struct kunit *test)
{
	const u32 body = 3000, cnt = body + 5;
	struct bpf_insn *insns = kunit_kcalloc(test, cnt, sizeof(*insns), GFP_KERNEL);
	u32 i = 0;

	KUNIT_ASSERT_NOT_NULL(test, insns);
	insns[i++] = BPF_MOV64_IMM(BPF_REG_0, 3);
	insns[i++] = BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, body + 1, 0);
	while (i < body + 2)
		insns[i++] = BPF_ALU64_IMM(BPF_XOR, BPF_REG_0, 0x12345);
	insns[i] = BPF_JMP_A(-(s32)body - 2);
	insns[i + 1] = BPF_EXIT_INSN();
	KUNIT_EXPECT_EQ(test, ftk_run(ftk_load_stub(test, insns, i + 2, NULL, NULL), NULL), 3);
}

static void free_insns(void *insns)
{
	kvfree(insns);
}

/* Load a program that calls a helper and then computes something in @cnt instructions. */
static struct bpf_prog *load_long(struct kunit *test, u32 cnt)
{
	struct bpf_insn *insns = kvmalloc_array(cnt + 2, sizeof(*insns), GFP_KERNEL);
	u32 i = 0;

	KUNIT_ASSERT_NOT_NULL(test, insns);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_insns, insns), 0);
	insns[i++] = FTK_CALL(BPF_FUNC_get_numa_node_id);
	while (i <= cnt)
		insns[i++] = BPF_ALU64_IMM(BPF_XOR, BPF_REG_0, 0x12345);
	insns[i] = BPF_EXIT_INSN();
	return ftk_load(test, insns, cnt + 2, NULL);
}

static bool does_not_pack(void)
{
	return false;
}

/**
 * image_own_pages() - an image without the allocator of programs and bpf_arch_text_copy()
 * @test: the test case
 *
 * The image then has pages of its own, which are freed with it. A large one has several.
 */
void image_own_pages(struct kunit *test)
{
	const u32 cnt = 3000;
	const struct fastterm_image *image;
	struct bpf_prog *prog;
	long before;

	KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
	before = atomic_long_read(&fastterm_text);
	kunit_activate_static_stub(test, fastterm_packs, does_not_pack);
	prog = load_long(test, cnt);
	kunit_deactivate_static_stub(test, fastterm_packs);
	KUNIT_ASSERT_NOT_NULL(test, fastterm_aux(prog)->image);
	image = fastterm_aux(prog)->image;
	KUNIT_EXPECT_FALSE(test, image->packed);
	KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(image->code));
	KUNIT_EXPECT_GT(test, image->size, PAGE_SIZE);
	KUNIT_EXPECT_NE(test, copy_to_kernel_nofault(image->code, image->code, 1), 0);
	ftk_compare_image(test, prog, fastterm_of(prog), 0);
	/* The stub returns -ECANCELED, and an even number of XORs leaves the value unchanged. */
	KUNIT_EXPECT_EQ(test, ftk_run(image->shadow, NULL), (u32)-ECANCELED);
	ftk_unload(test, prog);
	KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&fastterm_text), before);
}

/* Does the first call of a program reach the end of its image? */
static bool reaches_end(struct kunit *test, const struct bpf_prog *prog)
{
	u8 *from = (u8 *)prog->bpf_func - cfi_get_offset();
	const u32 size = prog->jited_len + cfi_get_offset();
	struct fastterm_insn insn = {};
	u8 code[128];
	int off, len;

	memcpy(code, from, sizeof(code));
	for (off = cfi_get_offset(); insn.kind != FASTTERM_INSN_CALL; off += len) {
		len = fastterm_arch_decode(code, off, sizeof(code), (long)from, &insn);
		KUNIT_ASSERT_GT(test, len, 0);
	}
	insn.target = (long)from + round_up(size, sizeof(u64));
	return !fastterm_encode(code, off - len, sizeof(code), (long)from, &insn);
}

/**
 * image_large() - a program has an image as long as its calls reach what is behind it
 * @test: the test case
 *
 * Where calls go to thunks behind the image, their reach limits the size of the image, to 1 MiB
 * on one architecture. A larger program has no image, and runs all the same.
 */
void image_large(struct kunit *test)
{
	const u32 per_1000 = load_long(test, 2000)->jited_len - load_long(test, 1000)->jited_len;
	/* Even numbers, so that the result is that of the call. */
	const u32 cnt = (u64)SZ_1M * 1000 / per_1000 & ~1;
	const struct fastterm_prog *fprog;
	struct bpf_prog *prog;

	prog = load_long(test, cnt - 200);
	fprog = fastterm_of(prog);
	KUNIT_EXPECT_LT(test, prog->jited_len, SZ_1M);
	KUNIT_EXPECT_TRUE(test, reaches_end(test, prog));
	KUNIT_ASSERT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	ftk_compare_image(test, prog, fprog, 0);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
	KUNIT_EXPECT_EQ(test, ftk_run(fprog->images[0]->shadow, NULL), (u32)-ECANCELED);

	prog = load_long(test, cnt + 200);
	fprog = fastterm_of(prog);
	KUNIT_EXPECT_GT(test, prog->jited_len, SZ_1M);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
	if (reaches_end(test, prog)) {
		KUNIT_ASSERT_EQ(test, fprog->absence, FASTTERM_PRESENT);
		ftk_compare_image(test, prog, fprog, 0);
		KUNIT_EXPECT_EQ(test, ftk_run(fprog->images[0]->shadow, NULL), (u32)-ECANCELED);
	} else {
		KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_TOO_LARGE);
		KUNIT_EXPECT_NULL(test, fprog->images);
	}
}
