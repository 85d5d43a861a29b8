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

#include "activation.h"
#include "image.h"
#include "program.h"
#include "walk.h"

/* Slots in programs; the verifier allows programs eight calls deep. */
#define MAX_SLOTS 64

/**
 * struct fastterm_finds - what the first pass finds
 * @a: what is looked for
 * @walk: how far the pass has come
 * @base: the slot that the base frame returns to, as far as is known; NULL if there is none
 * @slots: the slots in programs, and behind them, the innermost first
 */
struct fastterm_finds {
	const struct fastterm_activation *a;
	struct fastterm_walk walk;
	const struct fastterm_slot *base;
	struct fastterm_slot slots[MAX_SLOTS];
};

static DEFINE_PER_CPU(struct fastterm_finds, finds);

/* Is a tag that of what is looked for? */
static bool is_wanted(const struct fastterm_activation *a, const struct fastterm_slot *slot)
{
	const struct fastterm_tag *tag = fastterm_tag_at(slot->sp);

	return tag && (a->tag ? tag == a->tag :
				tag->fprog == a->fprog && tag->id == a->outcome.id);
}

/*
 * Find the slots up to the one that the base frame returns to. An activation whose main
 * function has been passed ends there. A callback that runs by itself, from a timer, has
 * none: then it is the outermost frame of the program.
 */
static int find(struct fastterm_finds *f, struct pt_regs *regs)
{
	const struct fastterm_activation *a = f->a;
	const struct fastterm_slot *const end = f->slots + ARRAY_SIZE(f->slots);
	const struct fastterm_prog *met = NULL;
	struct fastterm_walk *w = &f->walk;
	struct fastterm_slot *slot = f->slots;
	const struct fastterm_image *image;
	bool ours = false, passed = false;
	int err;

	f->base = NULL;
	for (err = fastterm_walk_begin(w, regs, slot); !err; err = fastterm_walk_next(w)) {
		image = slot->text.image;
		if (ours && !slot->again) {
			f->base = slot;
			if (passed)
				return 0;
		}
		if (!image) {
			if (fastterm_is_tag(slot)) {
				/* What is further out belongs to another activation. */
				if (!is_wanted(a, slot))
					return -EFAULT;
				f->base = slot;
				return 0;
			}
			if (!ours)
				continue;
			ours = false;
		} else {
			/* By its id too: another one may have come to be where it was. */
			if (image->fprog == a->fprog && image->fprog->id == a->outcome.id)
				met = image->fprog;
			ours = image->fprog == met;
			/* What is tagged may have come to run the program once more. */
			if (ours)
				passed = image->main && !a->tag;
		}
		if (++slot == end)
			return -EFAULT;
		w->slot = slot;
	}
	if (err != -ENOENT)
		return err;
	/* The walk has ended in the program itself: its caller is not known. */
	if (ours && !a->tag)
		return -EFAULT;
	return a->tag || !f->base ? -ENOENT : 0;
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

/* Let execution continue at the same place of the stub image. */
static int move(const struct fastterm_slot *slot, struct pt_regs *regs)
{
	const struct fastterm_image *image = slot->text.image;
	const u32 off = slot->text.off + cfi_get_offset();

	if (!fastterm_is_safepoint(image, off))
		return -EAGAIN;
	if (slot->at)
		return fastterm_slot_move(slot, (unsigned long)image->code + off);
	fastterm_arch_resume(regs, slot->ip, (unsigned long)image->code + off);
	return 0;
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
	a->finds = per_cpu_ptr(&finds, cpu);
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
	struct fastterm_finds *f = a->finds;
	const struct fastterm_slot *slot, *base;
	struct fastterm_tag *tag;
	int err, missed = 0;

	f->a = a;
	/* Interrupts are off, which is as good as rcu_read_lock(): lockdep has to be told. */
	rcu_lock_acquire(&rcu_lock_map);
	err = find(f, regs);
	rcu_lock_release(&rcu_lock_map);
	if (err)
		return err;
	base = f->base;
	tag = fastterm_is_tag(base) ? fastterm_tag_at(base->sp) :
				      fastterm_tag_slot(base, a->fprog);
	if (IS_ERR_OR_NULL(tag))
		return tag ? PTR_ERR(tag) : -EFAULT;
	tag->leaving = true;
	WRITE_ONCE(a->tag, tag);
	fastterm_leave(a);
	for (slot = f->slots; slot < base; slot++) {
		if (!slot->text.image || slot->text.copy)
			continue;
		err = move(slot, regs);
		if (err)
			missed = err;
		else if (!slot->again)
			a->outcome.frames++;
	}
	return missed;
}
