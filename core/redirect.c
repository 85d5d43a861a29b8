// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirect: let an activation of a program go on in the stub images.
 *
 * An activation is one invocation of a program: the frame of its main function,
 * the base frame, and every frame of a program above it, be it a function, a
 * callback, an extension of it, or another program that it has come to run. What
 * called it is not its business: to the caller, the program has returned.
 *
 * In two passes, the first of which finds all addresses at which the interrupted
 * context will go on, up to the one that the base frame returns to. The second
 * one writes, first that address, which from then on is the tag that the
 * activation is known by, then those in programs, which move to the same place in
 * the stub image. Each of these is a valid state by itself: what could not be
 * moved goes on where it was, and is moved by a later kick.
 */
#include <linux/array_size.h>
#include <linux/bpf.h>
#include <linux/cfi.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "internal.h"

/* Frames of the kernel count as well; the verifier allows programs eight calls deep. */
#define MAX_SLOTS 64

/**
 * struct found - a slot, and where it is to be moved
 * @slot: the slot
 * @image: the stub image of the function that it leads into; NULL if there is none,
 *	   or if it leads into that already
 * @off: and where in it
 */
struct found {
	struct fastterm_slot slot;
	const struct fastterm_image *image;
	u32 off;
};

/**
 * struct fastterm_walk - what the first pass finds
 * @a: what is looked for
 * @passed: whether a frame of the program's has been passed that nothing of it can
 *	    lie below: that of its main function
 * @next: behind the last of @found
 * @last: behind the outermost one of them that is in the program; NULL if none is
 * @found: the slots, the innermost first
 */
struct fastterm_walk {
	const struct fastterm_activation *a;
	bool passed;
	struct found *next;
	const struct found *last;
	struct found found[MAX_SLOTS];
};

static DEFINE_PER_CPU(struct fastterm_walk, walks);

/* One address may be kept twice: by a function that is about to save it. */
static bool is_same(const struct found *a, const struct found *b)
{
	return a->slot.ip == b->slot.ip && a->slot.sp && a->slot.sp == b->slot.sp;
}

static bool collect(const struct fastterm_slot *slot, void *data)
{
	const struct fastterm_text *text = slot->text;
	struct fastterm_walk *walk = data;
	struct found *found = walk->next;
	const struct fastterm_prog *known;

	if (found == walk->found + ARRAY_SIZE(walk->found))
		return false;
	walk->next = found + 1;
	found->slot = *slot;
	found->image = NULL;
	if (fastterm_is_tag(slot))
		return false;
	/* What the base frame returns to: the last of the slots. */
	if (walk->passed && !is_same(found, found - 1))
		return false;
	if (!text || !text->image)
		return true;
	if (!text->copy) {
		found->image = text->image;
		found->off = text->off + cfi_get_offset();
	}
	known = text->image->known;
	/* By its id too: another one may have come to be where it was. */
	if (known == walk->a->known && known->id == walk->a->outcome.id) {
		walk->last = walk->next;
		/* What is tagged may have come to run the program once more. */
		walk->passed = !walk->a->tag && text->image == known->images[0];
	}
	return true;
}

/* Is this tag that of what is looked for? */
static bool is_wanted(const struct fastterm_walk *walk, const struct fastterm_slot *slot)
{
	const struct fastterm_tag *tag = fastterm_tag_at(slot->sp);
	const struct fastterm_activation *a = walk->a;

	return tag && (a->tag ? tag == a->tag :
				tag->known == a->known && tag->id == a->outcome.id);
}

/*
 * The slot of the base frame's return. A callback that runs by itself, from a
 * timer, has no main function below: then it is the outermost frame there is.
 */
static const struct found *find_base(const struct fastterm_activation *a,
				     struct fastterm_walk *walk, struct pt_regs *regs)
{
	const struct found *base;
	int err;

	walk->a = a;
	walk->passed = false;
	walk->next = walk->found;
	walk->last = NULL;
	/* Interrupts are off, which is as good as rcu_read_lock(): lockdep has to be told. */
	rcu_lock_acquire(&rcu_lock_map);
	err = fastterm_arch_walk(regs, collect, walk);
	rcu_lock_release(&rcu_lock_map);
	if (err && err != -ENOENT)
		return ERR_PTR(err);
	if (walk->next == walk->found)
		return ERR_PTR(-ENOENT);
	base = walk->next - 1;
	if (fastterm_is_tag(&base->slot) && is_wanted(walk, &base->slot))
		return base;
	/* Where there was no room for more, what is the outermost frame is not known. */
	if (!err && !walk->passed)
		return ERR_PTR(-EFAULT);
	if (a->tag || !walk->last)
		return ERR_PTR(-ENOENT);
	return walk->last == walk->next ? ERR_PTR(-EFAULT) : walk->last;
}

/**
 * fastterm_is_safepoint() - may a program go on in its stub image from here?
 * @image: the stub image
 * @off: offset in it, at a boundary of an instruction
 *
 * Context: any.
 * Return: true if it may.
 */
bool fastterm_is_safepoint(const struct fastterm_image *image, u32 off)
{
	u32 i;

	for (i = 0; i < image->nr_unsafe; i++)
		if (image->unsafe[i] == off)
			return false;
	return true;
}

static int move(const struct found *found)
{
	if (!fastterm_is_safepoint(found->image, found->off))
		return -EAGAIN;
	return fastterm_arch_move(&found->slot, (unsigned long)found->image->code + found->off);
}

/**
 * fastterm_redirect_init() - what a CPU's kicks find has a place
 * @a: the CPU's activation
 * @cpu: the CPU
 *
 * Context: any, before the first kick.
 */
void fastterm_redirect_init(struct fastterm_activation *a, int cpu)
{
	a->walk = per_cpu_ptr(&walks, cpu);
}

/**
 * fastterm_redirect() - redirect what can be found of an activation
 * @a: this CPU's activation, which is wanted or leaving
 * @regs: the registers that a kick has interrupted
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: 0 if all of it goes on in stub images now; -EAGAIN if some of it does
 * not, or none; -ENOENT if it is not what has been interrupted; -EFAULT if the
 * stack made no sense. Unless 0 or -EAGAIN, nothing has been written.
 */
int fastterm_redirect(struct fastterm_activation *a, struct pt_regs *regs)
{
	struct fastterm_walk *walk = a->walk;
	const struct found *base = find_base(a, walk, regs), *found;
	struct fastterm_tag *tag;
	int err, missed = 0;

	if (IS_ERR(base))
		return PTR_ERR(base);
	tag = fastterm_is_tag(&base->slot) ? fastterm_tag_at(base->slot.sp) :
					     fastterm_tag_slot(&base->slot, a->known);
	if (IS_ERR_OR_NULL(tag))
		return tag ? PTR_ERR(tag) : -EFAULT;
	tag->leaving = true;
	WRITE_ONCE(a->tag, tag);
	atomic_set(&a->state, FASTTERM_LEAVING);
	for (found = walk->found; found < base; found++) {
		if (!found->image)
			continue;
		err = move(found);
		if (err)
			missed = err;
		else if (found == walk->found || !is_same(found, found - 1))
			a->outcome.frames++;
	}
	return missed;
}
