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

/* Addresses in programs; the verifier allows programs eight calls deep. */
#define MAX_MOVES 64

/**
 * struct move - an address in a program that is to be moved
 * @where: where it is kept
 * @to: the same place in the stub image; 0 if that is no safepoint
 */
struct move {
	struct fastterm_where where;
	unsigned long to;
};

/**
 * struct fastterm_finds - what the first pass finds
 * @walk: how far the pass has come
 * @base: the slot that the base frame returns to, as far as is known; NULL if there is none
 * @end: behind the last address in programs that comes before it
 * @kept: a slot that may be that one, while the pass goes on
 * @moves: the addresses in programs, the innermost first, and room for one more slot
 */
struct fastterm_finds {
	struct fastterm_walk walk;
	const struct fastterm_where *base;
	const struct move *end;
	struct fastterm_where kept;
	struct move moves[MAX_MOVES + 1];
};

static DEFINE_PER_CPU(struct fastterm_finds, finds);

/* Is a tag that of what is looked for? */
static bool is_wanted(const struct fastterm_activation *a, const struct fastterm_where *where)
{
	const struct fastterm_tag *tag = fastterm_tag_at(where->sp);

	return tag && (a->tag ? tag == a->tag :
				tag->fprog == a->fprog && tag->id == a->outcome.id);
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

/* The same place in the stub image; 0 if a program may not go on from there. */
static unsigned long in_stub_image(const struct fastterm_text *text)
{
	const u32 off = text->off + cfi_get_offset();

	return fastterm_is_safepoint(text->image, off) ? (unsigned long)text->image->code + off : 0;
}

/*
 * Find the addresses in programs up to the slot that the base frame returns to. An activation
 * whose main function has been passed ends there. A callback that runs by itself, from a timer,
 * has none: then the base frame is the outermost frame of the program.
 */
static int find(struct fastterm_finds *f, const struct fastterm_activation *a,
		struct pt_regs *regs)
{
	const struct fastterm_prog *met = NULL, *likely = NULL;
	struct fastterm_walk *w = &f->walk;
	struct move *move = f->moves;
	const struct fastterm_image *image;
	bool ours = false, passed = false;
	int err;

	f->base = NULL;
	/* No program has been freed since this one was asked for: it has not been either. */
	if (a->ended == atomic_read(&fastterm_ended_progs))
		likely = a->fprog;
	for (err = fastterm_walk_begin(w, regs, likely, &move->where); !err;
	     err = fastterm_walk_next(w)) {
		image = w->text.image;
		/* By its id too: another one may have come to be where it was. */
		if (image && image->fprog == a->fprog && image->fprog->id == a->outcome.id)
			met = image->fprog;
		if (ours && passed && !move->where.again) {
			f->base = &move->where;
			f->end = move;
			return 0;
		}
		if (!image && fastterm_is_tag(&move->where)) {
			/* What is further out belongs to another activation. */
			if (!is_wanted(a, &move->where))
				return -EFAULT;
			f->base = &move->where;
			f->end = move;
			return 0;
		}
		if (ours && !move->where.again && (!image || image->fprog != met)) {
			f->kept = move->where;
			f->base = &f->kept;
			f->end = move;
		}
		ours = image && image->fprog == met;
		if (!image)
			continue;
		/* What is tagged may have come to run the program once more. */
		if (ours)
			passed = fastterm_is_base(&w->text) && !a->tag;
		if (w->text.copy)
			continue;
		move->to = in_stub_image(&w->text);
		if (++move == f->moves + MAX_MOVES)
			return -EFAULT;
		w->where = &move->where;
	}
	if (err != -ENOENT)
		return err;
	/* The walk has ended in the program itself: its caller is not known. */
	if (ours && !a->tag)
		return -EFAULT;
	return a->tag || !f->base ? -ENOENT : 0;
}

/* Let execution continue there. */
static int move_one(const struct move *move, struct pt_regs *regs)
{
	if (!move->to)
		return -EAGAIN;
	if (move->where.at)
		return fastterm_move(&move->where, move->to);
	fastterm_arch_resume(regs, move->where.ip, move->to);
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
	const struct move *move;
	struct fastterm_tag *tag;
	int err, missed = 0;

	/* Interrupts are off, which is as good as rcu_read_lock(): lockdep has to be told. */
	rcu_lock_acquire(&rcu_lock_map);
	err = find(f, a, regs);
	rcu_lock_release(&rcu_lock_map);
	if (err)
		return err;
	tag = fastterm_is_tag(f->base) ? fastterm_tag_at(f->base->sp) :
					 fastterm_tag_return(f->base, a->fprog);
	if (IS_ERR_OR_NULL(tag))
		return tag ? PTR_ERR(tag) : -EFAULT;
	tag->leaving = true;
	WRITE_ONCE(a->tag, tag);
	fastterm_leave(a);
	for (move = f->moves; move < f->end; move++) {
		err = move_one(move, regs);
		if (err)
			missed = err;
		else if (!move->where.again)
			a->outcome.frames++;
	}
	return missed;
}
