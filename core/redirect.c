// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirect: make an activation of a program continue in the stub images.
 *
 * An activation is one entry of a program by the kernel. What is moved is the base frame,
 * which is that of the main function, and all frames of programs above it: functions,
 * callbacks, extensions, and those of activations nested in it. The frames of the caller are
 * not changed: for the caller, the program returns as usual.
 *
 * This takes two passes. The first pass finds all addresses at which the interrupted
 * context will continue, up to the return address of the base frame. The second pass
 * writes: first it replaces that return address by the exit tag, by which the activation is
 * recognised from then on, then it moves the addresses in programs to the same offsets in
 * the stub images. The stack is valid after each of these writes: what cannot be moved
 * continues in P, and a later kick moves it.
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

/* The number of addresses in programs on one stack; the verifier allows eight nested calls. */
#define MAX_MOVES 64

/**
 * struct move - an address in a program that is to be moved
 * @where: the slot of the address
 * @to: the same offset in the stub image; 0 if that is not a safepoint
 */
struct move {
	struct fastterm_where where;
	unsigned long to;
};

/**
 * struct fastterm_finds - what the first pass finds
 * @walk: the walk, at the last slot that the pass has visited
 * @base: the slot of the base frame's return address, as found so far; NULL if there is
 *	  none
 * @end: behind the last of the addresses in programs that come before @base
 * @kept: storage for @base while the pass goes on
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

/* Is a tag that of the activation that is to be terminated? */
static bool is_wanted(const struct fastterm_activation *a, const struct fastterm_where *where)
{
	const struct fastterm_tag *tag = fastterm_tag_at(where->sp);

	return tag && (a->tag ? tag == a->tag :
				tag->fprog == a->fprog && tag->id == a->outcome.id);
}

/**
 * fastterm_is_safepoint() - may a program continue in its stub image at an offset?
 * @image: the stub image
 * @off: the offset, at an instruction boundary
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

/* The same address in the stub image; 0 if it is not a safepoint. */
static unsigned long in_stub_image(const struct fastterm_text *text)
{
	const u32 off = text->off + cfi_get_offset();

	return fastterm_is_safepoint(text->image, off) ? (unsigned long)text->image->code + off : 0;
}

/*
 * Find the addresses in programs, up to the slot with the base frame's return address. An
 * activation ends with the frame of its main function. A callback that the kernel calls by
 * itself, as from a timer, has no main function: its base frame is the outermost frame of
 * the program.
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
	/* The program is still there, as no program has been freed since the request. */
	if (a->ended == atomic_read(&fastterm_ended_progs))
		likely = a->fprog;
	for (err = fastterm_walk_begin(w, regs, likely, &move->where); !err;
	     err = fastterm_walk_next(w)) {
		image = w->text.image;
		/*
		 * Compare the id as well: another program may have been allocated at the
		 * same address.
		 */
		if (image && image->fprog == a->fprog && image->fprog->id == a->outcome.id)
			met = image->fprog;
		if (ours && passed && !move->where.again) {
			f->base = &move->where;
			f->end = move;
			return 0;
		}
		if (!image && fastterm_is_tag(&move->where)) {
			/* The frames beyond a tag belong to another activation. */
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
		/*
		 * A tagged activation may have run the program again: it does not end here,
		 * but at its tag.
		 */
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
	/* The walk has ended in the program: the return address of the base frame is not known. */
	if (ours && !a->tag)
		return -EFAULT;
	return a->tag || !f->base ? -ENOENT : 0;
}

/* Write one address. */
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
 * fastterm_redirect_init() - give a CPU's kicks a buffer for what they find
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
 * fastterm_redirect() - move an activation to the stub images, as far as possible
 * @a: this CPU's activation, which is WANTED or LEAVING
 * @regs: the registers that the kick has interrupted
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: 0 if all of the activation continues in stub images; -EAGAIN if some or all of it
 * does not; -ENOENT if the interrupted context is not part of the activation; -EFAULT if
 * the stack made no sense. Unless 0 or -EAGAIN is returned, nothing has been written.
 */
int fastterm_redirect(struct fastterm_activation *a, struct pt_regs *regs)
{
	struct fastterm_finds *f = a->finds;
	const struct move *move;
	struct fastterm_tag *tag;
	int err, missed = 0;

	/* Interrupts are off, which is a read-side critical section; lockdep does not know that. */
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
