// SPDX-License-Identifier: GPL-2.0-only
/*
 * The code of a stub image.
 *
 * Each instruction keeps its offset and its length. Most are copied unchanged. Instructions
 * that refer to an address relative to their own are encoded again. Sites are replaced: a
 * skipped call by the call of a stub, the test of a loop or of a tail call by a jump. If a
 * target is out of reach, the instruction goes to a thunk.
 */
#include <linux/bitops.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>

#include "builder.h"
#include "decision.h"
#include "encode.h"
#include "image.h"
#include "program.h"

/* Make the copy of @insn at @off refer to @insn->target, by a thunk if need be. */
static int refer(struct fastterm_builder *b, u32 off, struct fastterm_insn *insn)
{
	int err = fastterm_encode(b->rw, off, b->rw_size, fastterm_to_ip(b), insn);
	long thunk;

	if (err != -ERANGE || (insn->kind != FASTTERM_INSN_CALL &&
			       insn->kind != FASTTERM_INSN_JUMP))
		return err;
	thunk = fastterm_thunk_to(b, insn->target);
	if (thunk < 0)
		return thunk;
	insn->target = fastterm_to_ip(b) + thunk;
	return fastterm_encode(b->rw, off, b->rw_size, fastterm_to_ip(b), insn);
}

/*
 * Copy the patch slot of a direct tail call. Returns its length; 0 if there is none; or an
 * error.
 */
static int copy_poke(struct fastterm_builder *b, u32 off)
{
	const struct bpf_jit_poke_descriptor *poke;
	struct fastterm_insn insn = { .kind = FASTTERM_INSN_JUMP };
	bool bypass;
	int err;

	poke = fastterm_poke_at(b, off, &bypass);
	if (!poke)
		return 0;
	insn.len = fastterm_poke_len(poke);
	insn.target = bypass ?
		      (unsigned long)poke->bypass_addr - fastterm_from_ip(b) + fastterm_to_ip(b) :
		      fastterm_from_ip(b) + off;
	err = fastterm_encode(b->rw, off, b->rw_size, fastterm_to_ip(b), &insn);
	return err ? : insn.len;
}

/*
 * Does the branch at @off decide whether execution continues at @exit? It goes there, or it
 * goes over a jump that goes there if @exit is out of its reach. If it does, @insn becomes
 * a jump that leads to
 * @exit, or to that jump.
 */
static bool leads_to(const struct fastterm_builder *b, u32 off,
		     struct fastterm_insn *insn, unsigned long exit)
{
	u32 next = off + insn->len;
	struct fastterm_insn jump;
	int len;

	if (insn->kind != FASTTERM_INSN_BRANCH)
		return false;
	if (insn->target == fastterm_from_ip(b) + exit) {
		insn->kind = FASTTERM_INSN_JUMP;
		insn->target = fastterm_to_ip(b) + exit;
		return true;
	}
	do {
		len = fastterm_arch_decode(b->from, next, b->code_size, fastterm_from_ip(b),
					   &jump);
		if (len < 0)
			return false;
		next += len;
	} while (jump.kind == FASTTERM_INSN_PLAIN && fastterm_from_ip(b) + next < insn->target);
	if (jump.kind != FASTTERM_INSN_JUMP || jump.target != fastterm_from_ip(b) + exit ||
	    insn->target != fastterm_from_ip(b) + next)
		return false;
	insn->kind = FASTTERM_INSN_JUMP;
	insn->target = fastterm_to_ip(b) + off + insn->len;
	return true;
}

/*
 * Apply the decision on @site to the copy of @insn, if @insn is the site's instruction.
 * Returns 1 if it has been replaced, 0 if not, or an error.
 */
static int skip(struct fastterm_builder *b, u32 off, struct fastterm_insn *insn,
		struct fastterm_site *site, const struct fastterm_place *place)
{
	unsigned long exit = place->target;
	void *stub;
	int err;

	switch (site->decision.kind) {
	case FASTTERM_HELPER:
	case FASTTERM_KFUNC:
	case FASTTERM_SUBPROG:
		if (insn->kind != FASTTERM_INSN_CALL ||
		    insn->target != place->target)
			return 0;
		site->native = off;
		if (site->decision.kind != FASTTERM_SUBPROG)
			site->target = place->target;
		if (site->decision.why)
			return 0;
		stub = fastterm_stub(site->value, site->decision.fill);
		if (site->decision.kind == FASTTERM_SUBPROG)
			stub = fastterm_arch_canceled;
		insn->target = (unsigned long)stub;
		err = refer(b, off, insn);
		return err ? : 1;
	case FASTTERM_TAIL_CALL:
		exit = place->end;
		fallthrough;
	case FASTTERM_LOOP:
		if (!leads_to(b, off, insn, exit))
			return 0;
		if (!site->native)
			site->native = off;
		err = fastterm_encode(b->rw, off, b->rw_size, fastterm_to_ip(b), insn);
		return err ? : 1;
	default:
		return 0;
	}
}

static void add_unsafe(struct fastterm_builder *b, u32 off)
{
	struct fastterm_image *image = b->image;

	image->nr_unsafe++;
	image->unsafe[image->nr_unsafe - 1] = off;
}

/**
 * fastterm_copy() - fill a function's stub image with code
 * @b: the builder, with the layout and an unchanged copy of the original
 * @prog: the program
 * @fprog: its data, with its sites, and its images, which have their memory
 * @func: number of the function
 * @site: its first site, or one of a later function; sites receive their native offsets
 *
 * Context: process context.
 * Return: 0; -ENOENT if an instruction that is to be skipped is not in the code; -EINVAL if
 * the code is not as the JIT has reported, or cannot be encoded; -ERANGE if a thunk is out
 * of reach.
 */
int fastterm_copy(struct fastterm_builder *b, struct bpf_prog *prog, struct fastterm_prog *fprog,
		  u32 func, struct fastterm_site *site)
{
	const struct fastterm_layout *layout = fastterm_aux(b->func)->layout;
	struct fastterm_site *end = fprog->sites + fprog->nr_sites;
	const struct fastterm_place *place = NULL;
	struct fastterm_insn insn;
	bool done = false;
	u32 off;
	int len, err;

	for_each_set_bit(off, b->refs, b->code_size) {
		while (site < end && site->func == func) {
			if (site->jump >= layout->nr)
				return -EINVAL;
			place = &layout->places[site->jump];
			if (place->code != site->code)
				return -EINVAL;
			if (off < place->end)
				break;
			if (!done && !site->decision.why)
				return -ENOENT;
			site++;
			done = false;
		}
		len = copy_poke(b, off);
		if (len < 0)
			return len;
		if (len)
			continue;
		len = fastterm_arch_decode(b->from, off, b->code_size, fastterm_from_ip(b), &insn);
		if (len < 0)
			return len;
		if (site < end && site->func == func && off >= place->start) {
			err = skip(b, off, &insn, site, place);
			if (err < 0)
				return err;
			if (err) {
				done = true;
				continue;
			}
		}
		if (fastterm_inside(b, insn.target))
			continue;
		if (insn.split)
			add_unsafe(b, off + len);
		/*
		 * The address of a callback is not changed: the kernel function that is
		 * called relies on the callback.
		 */
		if (insn.kind == FASTTERM_INSN_CALL)
			insn.target = fastterm_counterpart(prog, fprog, insn.target);
		err = refer(b, off, &insn);
		if (err)
			return err;
	}
	/*
	 * The sites that are left: one at the function's last instruction, and sites that
	 * were not found.
	 */
	for (; site < end && site->func == func; site++, done = false)
		if (!done && !site->decision.why)
			return -ENOENT;
	return 0;
}
