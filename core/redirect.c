// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirect: make an activation of a program continue in the stub images.
 *
 * An activation is one entry of a program by the kernel. What is moved is the base frame,
 * which is that of the main function, and all frames of programs above it: functions,
 * callbacks, extensions, and those of activations nested in it. The frames of the caller are
 * not changed: for the caller, the program returns as usual. Guards are an exception: a
 * program whose value permits or denies something decides by itself, and neither it nor what
 * is nested in it is moved because its caller is terminated.
 *
 * This takes two passes. The first pass finds the addresses at which the interrupted
 * context will continue, up to the return address of the base frame. The second pass
 * writes: first it replaces that return address by the exit tag, by which the activation is
 * recognised from then on, then it moves the addresses in programs to the same offsets in
 * the stub images. The stack is valid after each of these writes: what cannot be moved
 * continues in P, and a later kick moves it. So does what there is no room for: each kick
 * moves the innermost addresses that have not been moved yet.
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

/* How many addresses one kick moves: more than nearly all stacks have. */
#define MAX_MOVES 64

/**
 * struct move - an address in a program that is to be moved
 * @where: the slot of the address
 * @to: the same offset in the stub image; 0 if that is not a safepoint
 * @fprog: the program
 */
struct move {
	struct fastterm_where where;
	unsigned long to;
	const struct fastterm_prog *fprog;
};

/**
 * struct fastterm_finds - what the first pass finds
 * @walk: the walk, at the last slot that the pass has visited
 * @tag: the activation that is to leave, if it is tagged
 * @base: otherwise the slot of its base frame's return address, as found so far; NULL if
 *	  there is none
 * @main: that base frame is that of a main function
 * @end: behind the last of the addresses in programs that come before the base
 * @more: there are more addresses than there is room for
 * @kept: storage for @base while the pass goes on
 * @moves: the addresses in programs, the innermost first, and room for one more slot
 */
struct fastterm_finds {
	struct fastterm_walk walk;
	struct fastterm_tag *tag;
	const struct fastterm_where *base;
	bool main;
	const struct move *end;
	bool more;
	struct fastterm_where kept;
	struct move moves[MAX_MOVES + 1];
};

static DEFINE_PER_CPU(struct fastterm_finds, finds);

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
 * Is this the tag of an activation that is to leave? A trigger or an earlier kick has said
 * so; or the request is for its program. The id is compared as well: another program may have
 * been allocated at the same address.
 */
static bool is_to_leave(const struct fastterm_tag *tag, const struct fastterm_prog *wanted, u32 id)
{
	return tag->leaving || (wanted && tag->fprog == wanted && tag->id == id);
}

/*
 * Find the addresses in programs, up to the slot with the return address of the base frame
 * of an activation that is to leave. An activation ends with the frame of its main function.
 * A callback that the kernel calls by itself, as from a timer, has no main function: its
 * base frame is the outermost frame of the program.
 */
static int find(struct fastterm_finds *f, const struct fastterm_cpu *c, struct pt_regs *regs,
		u8 level)
{
	const struct fastterm_prog *met = NULL, *wanted = NULL, *likely = NULL;
	struct fastterm_walk *w = &f->walk;
	struct move *move = f->moves, *known = NULL;
	const struct fastterm_image *image;
	bool ours = false, passed = false;
	const struct bpf_prog *base = NULL;
	struct fastterm_where *where;
	int err, state;
	u32 id;

	f->tag = NULL;
	f->base = NULL;
	f->main = false;
	f->more = false;
	/* While the state is one of these, no requester changes the rest. */
	state = atomic_read_acquire(&c->state);
	id = c->outcome.id;
	if (state == FASTTERM_WANTED)
		wanted = c->fprog;
	/* The program is still there if no program has been freed since the request. */
	if ((wanted || state == FASTTERM_LEAVING) &&
	    c->ended == atomic_read(&fastterm_ended_progs))
		likely = c->fprog;
	for (err = fastterm_walk_begin(w, regs, likely, &move->where); !err;
	     err = fastterm_walk_next(w)) {
		where = w->where;
		image = w->text.image;
		if (where->tag && is_to_leave(where->tag, wanted, id)) {
			f->tag = where->tag;
			f->end = move;
			return 0;
		}
		if (wanted) {
			if (image && image->fprog == wanted && image->fprog->id == id)
				met = wanted;
			if (ours && passed && !where->again) {
				f->tag = where->tag;
				f->base = where;
				f->main = true;
				f->end = move;
				return 0;
			}
			if (ours && !where->again && (!image || image->fprog != met)) {
				f->kept = *where;
				f->base = &f->kept;
				f->end = move;
			}
			ours = image && image->fprog == met;
			passed = ours && fastterm_is_base(&w->text);
		}
		/* An activation ends here. If it is that of a guard, it is not moved. */
		if (base && !where->again) {
			if (fastterm_is_guard(base)) {
				f->more = false;
				f->base = NULL;
				f->moves[0].where = *where;
				move = f->moves;
				where = &move->where;
				w->where = where;
			}
			known = move;
			base = NULL;
		}
		if (fastterm_is_base(&w->text))
			base = image ? image->fprog->prog : w->text.prog;
		if (!image || w->text.copy)
			continue;
		if (move == f->moves + MAX_MOVES) {
			f->more = true;
			continue;
		}
		move->to = in_stub_image(&w->text);
		move->fprog = image->fprog;
		move++;
		w->where = &move->where;
	}
	if (err == -EFAULT && known > f->moves) {
		/*
		 * Something on the stack is not understood. If the activation that is to leave
		 * is behind it, the activations in front of it are nested in that one.
		 */
		f->tag = fastterm_tag_around(kernel_stack_pointer(regs), level);
		f->end = known;
		f->more = true;
		return f->tag ? 0 : err;
	}
	/* The walk has ended in the program: the return address of the base frame is not known. */
	if (err == -ENOENT && ours)
		return -EFAULT;
	if (err != -ENOENT || !f->base)
		return err;
	f->tag = f->base->tag;
	return 0;
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
 * @c: the CPU's terminations
 * @cpu: the CPU
 *
 * Context: any, before the first kick.
 */
void fastterm_redirect_init(struct fastterm_cpu *c, int cpu)
{
	c->finds = per_cpu_ptr(&finds, cpu);
}

/* The request has found its activation, which leaves from now on. */
static void found(struct fastterm_cpu *c, struct fastterm_tag *tag)
{
	/* After a tail call, the frame belongs to another program. */
	tag->fprog = c->fprog;
	tag->id = c->outcome.id;
	tag->since = c->since;
	tag->outcome = c->outcome;
	fastterm_tag_leaves(tag);
	fastterm_leave(c, tag);
}

/**
 * fastterm_redirect() - move an activation to the stub images, as far as possible
 * @c: this CPU's terminations
 * @regs: the registers that the kick has interrupted
 * @level: the level of the interrupted context
 * @found_tag: receives the innermost activation there that is to leave; NULL if there is none
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: 0 if all of the activation continues in stub images; -EAGAIN if some or all of it
 * does not; -ENOENT if the interrupted context is not part of such an activation; -EFAULT if
 * the stack made no sense. Unless 0 or -EAGAIN is returned, nothing has been written.
 */
int fastterm_redirect(struct fastterm_cpu *c, struct pt_regs *regs, u8 level,
		      struct fastterm_tag **found_tag)
{
	struct fastterm_finds *f = c->finds;
	const struct move *move;
	struct fastterm_tag *tag;
	int err, missed = 0;
	u32 frames;

	*found_tag = NULL;
	/* Interrupts are off, which is a read-side critical section; lockdep does not know that. */
	rcu_lock_acquire(&rcu_lock_map);
	err = find(f, c, regs, level);
	rcu_lock_release(&rcu_lock_map);
	if (err)
		return err;
	tag = f->tag ?: fastterm_tag_return(f->base, c->fprog, level,
					      !level && c->fprog->prog->sleepable, f->main);
	if (IS_ERR(tag))
		return PTR_ERR(tag);
	if (!tag->leaving)
		found(c, tag);
	else if (atomic_read(&c->state) == FASTTERM_WANTED && tag->fprog == c->fprog &&
		 tag->id == c->outcome.id)
		fastterm_leave(c, tag);
	*found_tag = tag;
	tag->masked &= !fastterm_irqs_were_on(regs);
	frames = tag->outcome.frames;
	for (move = f->moves; move < f->end; move++) {
		err = move_one(move, regs);
		if (err)
			missed = err;
		else if (!move->where.again)
			tag->outcome.frames++;
		tag->cut |= !err && move->fprog == tag->fprog;
	}
	if (f->more)
		missed = -EAGAIN;
	/* Kicks that only verify a finished redirect are not counted. */
	tag->outcome.kicks += !tag->complete || tag->outcome.frames != frames;
	tag->complete = !missed;
	return missed;
}
