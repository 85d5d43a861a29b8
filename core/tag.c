// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tags: how an activation is known again.
 *
 * The return address of its base frame is replaced by that of a few instructions
 * of the architecture's, fastterm_arch_exit(), the tag. While the tag is in its
 * place the activation is the same one, and not the next one at the same depth;
 * when it is returned to, the activation has gone. Programs cannot migrate, so
 * that happens on the same CPU, whose table says where to go on.
 *
 * An activation that is suspected to run for too long is tagged as well as one that
 * is terminated. One that is preempted or asleep keeps its tag meanwhile, so there
 * may be several; if there are too many, no other is suspected until one has left.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/bpf.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/fastterm_arch.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include <asm/sections.h>

#include "internal.h"

/*
 * More programs than are interrupted and preempted on one CPU; and so many that may
 * sleep, so that sleepers, however many, leave room for others.
 */
#define MAX_TAGS 12
#define MAX_SLEEPERS 6

/* More frames than a stack has: a walk that goes on is none. */
#define MAX_DEPTH (THREAD_SIZE / 32)

/**
 * struct tags - the tags of a CPU
 * @used: which of them are, by bits
 * @tag: the tags
 */
struct tags {
	atomic_t used;
	struct fastterm_tag tag[MAX_TAGS];
};

static DEFINE_PER_CPU(struct tags, tags);

static __always_inline struct fastterm_tag *tag_at(struct tags *t, unsigned long sp)
{
	u32 used = atomic_read(&t->used), i;

	for (; used; used &= used - 1) {
		i = __ffs(used);
		if (t->tag[i].sp == sp)
			return &t->tag[i];
	}
	return NULL;
}

/**
 * fastterm_tag_at() - the tag of the present task's or interrupt's activation
 * @sp: the stack pointer behind the return
 *
 * Context: any that does not change the CPU.
 * Return: the tag, NULL if there is none.
 */
notrace struct fastterm_tag *fastterm_tag_at(unsigned long sp)
{
	return tag_at(this_cpu_ptr(&tags), sp);
}

/**
 * fastterm_tag_free() - nobody will return to a tag any more
 * @tag: the tag
 *
 * From here on it is free for a kick, which may interrupt this.
 *
 * Context: any that does not change the CPU.
 */
notrace void fastterm_tag_free(const struct fastterm_tag *tag)
{
	struct tags *t = this_cpu_ptr(&tags);

	/* What it said has been read. */
	barrier();
	atomic_andnot(BIT(tag - t->tag), &t->used);
}

/*
 * A tag that is free; or one with the same stack pointer, of somebody who was to return
 * to there and has never come back: nobody else can.
 */
static struct fastterm_tag *tag_for(struct tags *t, unsigned long sp, bool sleepable)
{
	struct fastterm_tag *tag = tag_at(t, sp);
	u32 free;

	if (tag)
		return tag;
	/* Those that may sleep have the first ones, and leave the rest alone. */
	free = ~atomic_read(&t->used) & GENMASK((sleepable ? MAX_SLEEPERS : MAX_TAGS) - 1, 0);
	if (!free)
		return NULL;
	return &t->tag[sleepable ? __ffs(free) : __fls(free)];
}

/* It nearly always is where the kernel itself is, which is known sooner. */
static bool is_text(unsigned long ip)
{
	return __is_kernel_text(ip) || __kernel_text_address(ip);
}

/**
 * fastterm_tag_slot() - tag an activation
 * @slot: of its base frame's return, which is none to a tag yet
 * @known: what is known of its program
 *
 * Context: hardirq or NMI, with interrupts off; in the one that has interrupted it.
 * Return: the tag; an error if it is not tagged: -EFAULT if @slot makes no sense,
 * -ENOSPC if there is no room for one more tag, or what fastterm_arch_move() says.
 */
struct fastterm_tag *fastterm_tag_slot(const struct fastterm_slot *slot,
				       const struct fastterm_prog *known)
{
	struct tags *t = this_cpu_ptr(&tags);
	struct fastterm_tag *tag;
	int err;

	if (!slot->sp || !is_text(slot->ip))
		return ERR_PTR(-EFAULT);
	tag = tag_for(t, slot->sp, known->prog->sleepable);
	if (!tag)
		return ERR_PTR(-ENOSPC);
	err = fastterm_arch_move(slot, (unsigned long)fastterm_arch_exit);
	if (err)
		return ERR_PTR(err);
	tag->known = known;
	tag->id = known->id;
	tag->task = current;
	tag->sp = slot->sp;
	tag->back = slot->ip;
	tag->ran_ns = 0;
	tag->leaving = false;
	/* Whoever comes in between finds all of it, or nothing. */
	barrier();
	atomic_or(BIT(tag - t->tag), &t->used);
	return tag;
}

/**
 * struct outermost - the outermost activation
 * @known: what is known of its program
 * @main: the last slot of a program was in its main function
 * @behind: the last slot was one of the program's
 * @base: the one behind it
 * @depth: how many slots there have been
 */
struct outermost {
	const struct fastterm_prog *known;
	bool main;
	bool behind;
	struct fastterm_slot base;
	u32 depth;
};

static bool look(const struct fastterm_slot *slot, void *data)
{
	struct outermost *o = data;

	if (o->behind)
		o->base = *slot;
	o->behind = slot->text && slot->text->image;
	if (o->behind) {
		o->known = slot->text->image->known;
		o->main = slot->text->image == o->known->images[0];
	}
	/* Nothing is tagged that has another program below. */
	if (fastterm_is_tag(slot)) {
		o->base = *slot;
		return false;
	}
	return ++o->depth < MAX_DEPTH;
}

/**
 * fastterm_suspect() - tag the outermost activation of what has been interrupted
 * @regs: the interrupted registers
 *
 * Programs without stub images do not count: they could not be terminated. Nor does
 * what the context has interrupted itself.
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: its tag, which may be there already; an error if there is none: -ENOENT if
 * no such program has been interrupted, -EFAULT if the stack made no sense, or those
 * of fastterm_tag_slot().
 */
struct fastterm_tag *fastterm_suspect(struct pt_regs *regs)
{
	struct outermost o = {};
	struct fastterm_tag *tag;
	int err;

	/* Interrupts are off, which is as good as rcu_read_lock(): lockdep has to be told. */
	rcu_lock_acquire(&rcu_lock_map);
	err = fastterm_arch_walk(regs, look, &o);
	rcu_lock_release(&rcu_lock_map);
	/*
	 * Below a program the stack may be one that nobody can follow, as under a kprobe
	 * that has been optimized. What is known down to its main function is enough.
	 */
	if (o.behind || (err && err != -ENOENT && !o.main))
		return ERR_PTR(-EFAULT);
	if (!o.base.at)
		return ERR_PTR(-ENOENT);
	if (!fastterm_is_tag(&o.base))
		/* If the walk did not come to an end, there may be more. */
		return err ? fastterm_tag_slot(&o.base, o.known) : ERR_PTR(-EFAULT);
	tag = fastterm_tag_at(o.base.sp);
	if (!tag)
		return ERR_PTR(-EFAULT);
	/* A tail call leaves the frame to another program. */
	if (o.known) {
		tag->known = o.known;
		tag->id = o.known->id;
	}
	return tag;
}
