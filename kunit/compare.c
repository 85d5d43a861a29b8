// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub images against what they are copies of; see compare.h
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

/* The size of its code, with what precedes the entry. */
static u32 image_size(const struct bpf_prog *p)
{
	return p->jited_len + cfi_get_offset();
}

/* Where a target in a stub image leads: through a thunk behind its code. */
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
 * Where a branch at @off of a function leaves a loop, or goes around a tail call: at its
 * target, unless it branches over a jump, which is then what leads there. A jump that
 * goes back is the end of a loop instead, and one that leaves is the tail call itself.
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
 * What stands where something is skipped: a call of the stub for what was decided, in
 * the place of a call, or a jump to where the branch that was there leaves.
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

	/* A jump may be shorter than the branch was: then others stand before it. */
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

/* What a call or jump that leaves the original at @target does in the copy. */
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
 * Whether what is at @off is patched while the program runs, for a tail call
 * that goes directly to its target. In the copy it never does.
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
		/* Around it, or back to where the frame is known to be gone. */
		KUNIT_EXPECT_EQ(test, insn.target,
				bypass ? (u8 *)poke->bypass_addr - from + (long)to :
					 (long)from + off);
		return true;
	}
	return false;
}

/**
 * ftk_compare_image() - expect a stub image to be the copy that it claims to be
 * @test: the test case
 * @prog: a program
 * @fprog: its images, and its sites if it has any
 * @func: the function of the program that is compared
 *
 * Every boundary of the original is one of the copy; what is no site and refers
 * to nothing outside is the same to the byte, and what does refers to the same.
 * What is skipped is the call of its stub, or a jump.
 * The program has been loaded and not been patched since.
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
		/* The second of two that form an address is part of the first. */
		if (a.kind == FASTTERM_INSN_PLAIN)
			continue;
		/* Literals stand right behind the code, and are copied with it. */
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
	/* Every site has been found in the code. */
	for (off = 0; off < fprog->nr_sites; off++)
		if (fprog->sites[off].func == func)
			sites--;
	KUNIT_EXPECT_EQ(test, sites, 0);
}
