// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub images against what they are copies of; see compare.h
 */

#include <linux/bpf.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>

#include <kunit/test.h>

#include "../internal.h"
#include "compare.h"

static const struct fastterm_site *site_at(const struct fastterm_prog *known,
					   u32 func, u32 off)
{
	u32 i;

	for (i = 0; i < known->nr_sites; i++)
		if (known->sites[i].func == func && known->sites[i].native == off)
			return &known->sites[i];
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

/* What a call or jump that leaves the original at @target does in the copy. */
static unsigned long counterpart(struct bpf_prog *prog, const struct fastterm_prog *known,
				 unsigned long target)
{
	u32 i;

	for (i = 0; i < known->nr_funcs; i++)
		if (target == (unsigned long)fastterm_func(prog, i)->bpf_func)
			return (unsigned long)known->images[i]->shadow->bpf_func;
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
 * @known: its images, and its sites if it has any
 * @func: the function of the program that is compared
 *
 * Every boundary of the original is one of the copy; what is no site and refers
 * to nothing outside is the same to the byte, and what does refers to the same.
 * The program has been loaded and not been patched since.
 *
 * Context: the thread of the test case.
 */
void ftk_compare_image(struct kunit *test, struct bpf_prog *prog,
		       const struct fastterm_prog *known, u32 func)
{
	const struct fastterm_image *image = known->images[func];
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
		const struct fastterm_site *site = off ? site_at(known, func, off) : NULL;

		second = split;
		len = fastterm_arch_decode(from, off, size, (long)from, &a);
		KUNIT_ASSERT_GT_MSG(test, len, 0, "original at %#x", off);
		split = a.split;
		sites += !!site;
		if (site && !site->decision.why)
			continue;
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
					    counterpart(prog, known, a.target), "at %#x", off);
	}
	KUNIT_EXPECT_EQ(test, off, size);
	/* Every site has been found in the code. */
	for (off = 0; off < known->nr_sites; off++)
		if (known->sites[off].func == func)
			sites--;
	KUNIT_EXPECT_EQ(test, sites, 0);
}
