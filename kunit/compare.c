// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparison of stub images with the code that they were copied from; see compare.h
 */

#include <linux/bpf.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>

#include <kunit/test.h>

#include "../decision.h"
#include "../image.h"
#include "../program.h"
#include "compare.h"

static const struct fastterm_site *site_at(const struct fastterm_prog *fprog,
					   u32 func, u32 off)
{
	u32 i;

	for (i = 0; i < fprog->nr_sites; i++)
		if (fprog->sites[i].func == func && fprog->sites[i].native == off)
			return &fprog->sites[i];
	return NULL;
}

/* The size of the code, including what precedes the entry. */
static u32 image_size(const struct bpf_prog *p)
{
	return p->jited_len + cfi_get_offset();
}

/* Where a target in a stub image leads, following a thunk behind the code. */
static unsigned long resolve(const struct fastterm_image *image, u32 code_size,
			     unsigned long target)
{
	u32 off = target - (long)image->code;
	struct fastterm_insn insn;
	int len;

	if (target < (long)image->code + code_size ||
	    target >= (long)image->code + image->size)
		return target;
	do {
		len = fastterm_arch_decode(image->code, off, image->size,
					   (long)image->code, &insn);
		off += len;
	} while (len > 0 && insn.kind == FASTTERM_INSN_PLAIN);
	return len > 0 ? insn.target : 0;
}

/*
 * Offset at which the branch at @off leaves a loop or skips a tail call: the target of the
 * branch. But if the branch skips a jump that leads forward within the function, then that jump
 * leaves, and the offset is that of the instruction behind the branch. A jump backwards closes a
 * loop, and a jump out of the function is a tail call.
 */
static unsigned long exit_at(struct kunit *test, const u8 *from, u32 size, u32 off,
			     const struct fastterm_insn *branch)
{
	const u32 over = branch->target - (unsigned long)from;
	struct fastterm_insn insn = {};
	u32 next = off + branch->len;
	int len;

	for (; next < over && insn.kind == FASTTERM_INSN_PLAIN; next += len) {
		len = fastterm_arch_decode(from, next, size, (long)from, &insn);
		KUNIT_ASSERT_GT(test, len, 0);
	}
	if (next == over && insn.kind == FASTTERM_INSN_JUMP &&
	    insn.target > branch->target && insn.target < (unsigned long)from + size)
		return off + branch->len;
	return over;
}

/*
 * The instruction that replaces a site: for a call, a call of the stub that was decided on;
 * otherwise a jump to where the replaced branch leaves.
 */
static void compare_skipped(struct kunit *test, const struct fastterm_image *image,
			    const u8 *from, u32 size, const struct fastterm_site *site,
			    const struct fastterm_insn *was)
{
	const unsigned long code = (unsigned long)image->code;
	const u32 off = site->native;
	void *stub = fastterm_stub(site->value, site->decision.fill);
	struct fastterm_insn now;
	u32 next = off;
	int len;

	/* A jump may be shorter than the replaced branch; other instructions then precede it. */
	do {
		len = fastterm_arch_decode(image->code, next, size, code, &now);
		KUNIT_ASSERT_GT(test, len, 0);
		next += len;
	} while (now.kind == FASTTERM_INSN_PLAIN && next < off + was->len);
	KUNIT_EXPECT_EQ_MSG(test, next, off + was->len, "at %#x", off);
	switch (site->decision.kind) {
	case FASTTERM_LOOP:
	case FASTTERM_TAIL_CALL:
		KUNIT_EXPECT_EQ_MSG(test, was->kind, FASTTERM_INSN_BRANCH, "at %#x", off);
		KUNIT_EXPECT_EQ_MSG(test, now.kind, FASTTERM_INSN_JUMP, "at %#x", off);
		KUNIT_EXPECT_EQ_MSG(test, now.target - code, exit_at(test, from, size, off, was),
				    "at %#x", off);
		return;
	case FASTTERM_SUBPROG:
		stub = fastterm_arch_canceled;
	}
	KUNIT_EXPECT_EQ_MSG(test, was->kind, FASTTERM_INSN_CALL, "at %#x", off);
	KUNIT_EXPECT_EQ_MSG(test, now.kind, FASTTERM_INSN_CALL, "at %#x", off);
	KUNIT_EXPECT_PTR_EQ_MSG(test, (void *)resolve(image, size, now.target), stub,
				"at %#x", off);
}

/* The target in the copy of a call or jump that leaves the original at @target. */
static unsigned long counterpart(struct bpf_prog *prog, const struct fastterm_prog *fprog,
				 unsigned long target)
{
	u32 i;

	for (i = 0; i < fprog->nr_funcs; i++)
		if (target == (unsigned long)fastterm_func(prog, i)->bpf_func)
			return (unsigned long)fprog->images[i]->shadow->bpf_func;
	return target;
}

/*
 * Is @off a slot of a direct tail call, which the kernel patches at run time? The copy has a
 * jump there that is not patched and does not take the tail call.
 */
static bool compare_slot(struct kunit *test, const struct bpf_prog *p, const u8 *from,
			 const u8 *to, u32 off)
{
	u32 i;

	for (i = 0; i < p->aux->size_poke_tab; i++) {
		const struct bpf_jit_poke_descriptor *poke = &p->aux->poke_tab[i];
		bool bypass = poke->tailcall_bypass == from + off;
		struct fastterm_insn insn;

		if (!bypass && poke->tailcall_target != from + off)
			continue;
		KUNIT_EXPECT_EQ(test, poke->bypass_addr - poke->tailcall_target,
				fastterm_arch_decode(to, off, image_size(p), (long)to, &insn));
		KUNIT_EXPECT_EQ(test, insn.kind, FASTTERM_INSN_JUMP);
		/*
		 * The jump skips the tail call, or leads back to the original, where the frame
		 * has been released.
		 */
		KUNIT_EXPECT_EQ(test, insn.target,
				bypass ? (u8 *)poke->bypass_addr - from + (long)to :
					 (long)from + off);
		return true;
	}
	return false;
}

/**
 * ftk_compare_image() - expect that a stub image is a faithful copy
 * @test: the test case
 * @prog: a program
 * @fprog: the images of the program, and its sites if it has any
 * @func: number of the function that is compared
 *
 * Every instruction boundary of the original is a boundary of the copy. Instructions that are no
 * site and refer to nothing outside are identical; those that do refer to something outside
 * refer to the same thing. Skipped sites are calls of their stubs, or jumps. The program must
 * not have been patched since it was loaded.
 *
 * Context: the thread of the test case.
 */
void ftk_compare_image(struct kunit *test, struct bpf_prog *prog,
		       const struct fastterm_prog *fprog, u32 func)
{
	const struct fastterm_image *image = fprog->images[func];
	const struct bpf_prog *p = fastterm_func(prog, func);
	const u8 *from = (u8 *)p->bpf_func - cfi_get_offset();
	const u8 *to = image->code;
	const u32 size = image_size(p);
	struct fastterm_insn a, b;
	bool split = false, second;
	u32 off, sites = 0;
	int len;

	KUNIT_EXPECT_MEMEQ(test, from, to, cfi_get_offset());
	for (off = cfi_get_offset(); off < size; off += len) {
		const struct fastterm_site *site = off ? site_at(fprog, func, off) : NULL;

		second = split;
		len = fastterm_arch_decode(from, off, size, (long)from, &a);
		KUNIT_ASSERT_GT_MSG(test, len, 0, "original at %#x", off);
		split = a.split;
		sites += !!site;
		if (site && !site->decision.why) {
			compare_skipped(test, image, from, size, site, &a);
			continue;
		}
		if (compare_slot(test, p, from, to, off))
			continue;
		if (a.kind == FASTTERM_INSN_PLAIN && !second) {
			KUNIT_EXPECT_MEMEQ_MSG(test, from + off, to + off, len, "at %#x", off);
			continue;
		}
		KUNIT_ASSERT_EQ_MSG(test, len,
				    fastterm_arch_decode(to, off, size, (long)to, &b),
				    "copy at %#x", off);
		/*
		 * The second of two instructions that form an address has been compared with the
		 * first.
		 */
		if (a.kind == FASTTERM_INSN_PLAIN)
			continue;
		/* Literals follow the code and are copied with it. */
		if (a.target >= (long)from && a.target < (long)from + size + sizeof(u64))
			KUNIT_EXPECT_EQ_MSG(test, a.target - (long)from,
					    b.target - (long)to, "at %#x", off);
		else if (a.kind == FASTTERM_INSN_DATA)
			KUNIT_EXPECT_EQ_MSG(test, a.target, b.target, "at %#x", off);
		else
			KUNIT_EXPECT_EQ_MSG(test, resolve(image, size, b.target),
					    counterpart(prog, fprog, a.target), "at %#x", off);
	}
	KUNIT_EXPECT_EQ(test, off, size);
	/* All sites of this function have been found in the code. */
	for (off = 0; off < fprog->nr_sites; off++)
		if (fprog->sites[off].func == func)
			sites--;
	KUNIT_EXPECT_EQ(test, sites, 0);
}
