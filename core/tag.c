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
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include <asm/sections.h>

#include "activation.h"
#include "image.h"
#include "program.h"
#include "trigger.h"
#include "walk.h"

/*
 * More programs than are interrupted and preempted on one CPU; and so many that may
 * sleep, so that sleepers, however many, leave room for others.
 */
#define MAX_TAGS 12
#define MAX_SLEEPERS 6

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
		if (READ_ONCE(t->tag[i].sp) == sp)
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
 * fastterm_untag() - to where does a tag continue?
 * @task: the task on whose behalf it is returned to; NULL for the current one
 * @sp: the stack pointer behind the return
 *
 * A program does not change its CPU, not even while it sleeps: its tag is in the table of the CPU
 * that its task was on last. Another CPU may free the tag meanwhile; then the stack that is
 * unwound has changed as well.
 *
 * Context: any.
 * Return: the address; that of fastterm_arch_exit() if the tag is not known.
 */
notrace unsigned long fastterm_untag(const struct task_struct *task, unsigned long sp)
{
	const struct fastterm_tag *tag;

	task = task ?: current;
	tag = tag_at(per_cpu_ptr(&tags, task_cpu(task)), sp);
	return tag ? READ_ONCE(tag->back) : (unsigned long)fastterm_arch_exit;
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
 * fastterm_tag_return() - tag an activation
 * @where: of its base frame's return, which is none to a tag yet
 * @fprog: what is known of its program
 *
 * Context: hardirq or NMI, with interrupts off; in the one that has interrupted it.
 * Return: the tag; an error if it is not tagged: -EFAULT if @where makes no sense,
 * -ENOSPC if there is no room for one more tag, or what fastterm_move() says.
 */
struct fastterm_tag *fastterm_tag_return(const struct fastterm_where *where,
					 const struct fastterm_prog *fprog)
{
	struct tags *t = this_cpu_ptr(&tags);
	struct fastterm_tag *tag;
	int err;

	if (!where->sp || !is_text(where->ip))
		return ERR_PTR(-EFAULT);
	tag = tag_for(t, where->sp, fprog->prog->sleepable);
	if (!tag)
		return ERR_PTR(-ENOSPC);
	tag->fprog = fprog;
	tag->id = fprog->id;
	tag->task = current;
	tag->sp = where->sp;
	tag->back = where->ip;
	tag->ran_ns = 0;
	tag->leaving = false;
	/* Whoever unwinds this stack, on whatever CPU, finds the tag if it finds its address. */
	smp_wmb();
	atomic_or(BIT(tag - t->tag), &t->used);
	err = fastterm_move(where, (unsigned long)fastterm_arch_exit);
	if (!err)
		return tag;
	fastterm_tag_free(tag);
	return ERR_PTR(err);
}

/**
 * struct outermost - the outermost activation
 * @walk: how far the walk has come
 * @where: to this slot
 * @fprog: what is known of its program
 * @main: the last slot in a program was in its main function
 * @base: of the slot behind it; no place if there is no program
 */
struct outermost {
	struct fastterm_walk walk;
	struct fastterm_where where;
	const struct fastterm_prog *fprog;
	bool main;
	struct fastterm_where base;
};

/* Find it, up to a tag: nothing is tagged that has another program below. */
static int find_outermost(struct outermost *o, struct pt_regs *regs)
{
	const struct fastterm_where *where = &o->where;
	const struct fastterm_image *image;
	bool behind = false;
	int err;

	for (err = fastterm_walk_begin(&o->walk, regs, NULL, &o->where); !err;
	     err = fastterm_walk_next(&o->walk)) {
		if (behind || fastterm_is_tag(where))
			o->base = *where;
		if (fastterm_is_tag(where))
			return 0;
		image = o->walk.text.image;
		behind = image;
		if (behind) {
			o->fprog = image->fprog;
			o->main = fastterm_is_base(&o->walk.text);
		}
	}
	/*
	 * Below a program the stack may be one that nobody can follow, as under a kprobe
	 * that has been optimized. What is known down to its main function is enough.
	 */
	if (behind || (err != -ENOENT && !o->main))
		return -EFAULT;
	return o->fprog ? 0 : -ENOENT;
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
 * no such program has been interrupted, -EFAULT if the stack made no sense, -EAGAIN where a tag
 * would be lost, or those of fastterm_tag_return().
 */
struct fastterm_tag *fastterm_suspect(struct pt_regs *regs)
{
	struct outermost o = {};
	struct fastterm_tag *tag;
	int err;

	/* Interrupts are off, which is as good as rcu_read_lock(): lockdep has to be told. */
	rcu_lock_acquire(&rcu_lock_map);
	err = find_outermost(&o, regs);
	rcu_lock_release(&rcu_lock_map);
	if (err)
		return ERR_PTR(err);
	if (!fastterm_is_tag(&o.base)) {
		/* The call that may be patched in here would overwrite the tag: sample later. */
		if (o.walk.patched && o.base.at == o.walk.frame.link)
			return ERR_PTR(-EAGAIN);
		return fastterm_tag_return(&o.base, o.fprog);
	}
	tag = fastterm_tag_at(o.base.sp);
	if (!tag)
		return ERR_PTR(-EFAULT);
	/* A tail call leaves the frame to another program. */
	if (o.fprog) {
		tag->fprog = o.fprog;
		tag->id = o.fprog->id;
	}
	return tag;
}
