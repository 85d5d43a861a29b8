// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tags: how an activation is recognised.
 *
 * The return address of an activation's base frame is replaced by that of fastterm_arch_exit(),
 * a few instructions of the architecture. While this tag is in its place, the activation is
 * the same one, and not the next one at the same depth. When the program returns to the
 * tag, the activation has left. A program does not migrate, so it returns on the same CPU,
 * whose table has the original return address.
 *
 * A trigger tags activations that it suspects to run for too long; an activation that is
 * terminated is tagged as well. An activation that is preempted or asleep keeps its tag, so
 * a CPU may have several tags. If all are in use, no further activation is tagged until one
 * has left.
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
 * The size of a CPU's table: more than the programs that are interrupted or preempted on
 * one CPU at a time. Programs that may sleep use only some of the tags, so that sleepers,
 * however many, leave tags for other programs.
 */
#define MAX_TAGS 12
#define MAX_SLEEPERS 6

/**
 * struct tags - the tags of a CPU
 * @used: bitmap of the tags in use
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
 * fastterm_tag_at() - find the tag of an activation of the current context
 * @sp: the stack pointer behind the return
 *
 * Context: any that does not change the CPU.
 * Return: the tag; NULL if there is none.
 */
notrace struct fastterm_tag *fastterm_tag_at(unsigned long sp)
{
	return tag_at(this_cpu_ptr(&tags), sp);
}

/**
 * fastterm_untag() - get the return address that a tag has replaced
 * @task: the task that returns to the tag; NULL for the current one
 * @sp: the stack pointer behind the return
 *
 * A program does not change its CPU, not even while it sleeps: its tag is in the table of
 * the CPU on which its task ran last. Another CPU may free the tag meanwhile; then the
 * stack that is unwound has changed as well.
 *
 * Context: any.
 * Return: the address; that of fastterm_arch_exit() if there is no such tag.
 */
notrace unsigned long fastterm_untag(const struct task_struct *task, unsigned long sp)
{
	const struct fastterm_tag *tag;

	task = task ?: current;
	tag = tag_at(per_cpu_ptr(&tags, task_cpu(task)), sp);
	return tag ? READ_ONCE(tag->back) : (unsigned long)fastterm_arch_exit;
}

/**
 * fastterm_tag_free() - free a tag to which no program will return any more
 * @tag: the tag
 *
 * From here on a kick may use the tag again; the kick may interrupt this function.
 *
 * Context: any that does not change the CPU.
 */
notrace void fastterm_tag_free(const struct fastterm_tag *tag)
{
	struct tags *t = this_cpu_ptr(&tags);

	/* The caller has read the tag before it is freed. */
	barrier();
	atomic_andnot(BIT(tag - t->tag), &t->used);
}

/*
 * A free tag; or a tag with the same stack pointer, which belongs to an activation that has
 * never returned: a new one at the same stack pointer means that it never will.
 */
static struct fastterm_tag *tag_for(struct tags *t, unsigned long sp, bool sleepable)
{
	struct fastterm_tag *tag = tag_at(t, sp);
	u32 free;

	if (tag)
		return tag;
	/* Programs that may sleep use the first tags, other programs the last free one. */
	free = ~atomic_read(&t->used) & GENMASK((sleepable ? MAX_SLEEPERS : MAX_TAGS) - 1, 0);
	if (!free)
		return NULL;
	return &t->tag[sleepable ? __ffs(free) : __fls(free)];
}

/* Test the kernel's own text first: it is the usual case, and the test is fast. */
static bool is_text(unsigned long ip)
{
	return __is_kernel_text(ip) || __kernel_text_address(ip);
}

/**
 * fastterm_tag_return() - tag an activation
 * @where: the slot of its base frame's return address, which is not a tag yet
 * @fprog: its program
 *
 * Context: hardirq or NMI, with interrupts off; in the one that has interrupted the
 * activation.
 * Return: the tag; an error if the activation is not tagged: -EFAULT if @where makes no
 * sense, -ENOSPC if no tag is free, or the error of fastterm_move().
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
	/* An unwinder on any CPU that reads the tag's address from the stack also finds the tag. */
	smp_wmb();
	atomic_or(BIT(tag - t->tag), &t->used);
	err = fastterm_move(where, (unsigned long)fastterm_arch_exit);
	if (!err)
		return tag;
	fastterm_tag_free(tag);
	return ERR_PTR(err);
}

/**
 * struct outermost - the outermost activation on a stack
 * @walk: the walk
 * @where: the slot that the walk has come to
 * @fprog: the program of the activation, as far as the walk has come
 * @main: the last slot in a program was in its main function
 * @base: the slot behind that one; without an address if there is no program
 */
struct outermost {
	struct fastterm_walk walk;
	struct fastterm_where where;
	const struct fastterm_prog *fprog;
	bool main;
	struct fastterm_where base;
};

/* Find the outermost activation, or the first one that is tagged. */
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
	 * The caller's stack may be one that cannot be walked, as under an optimized
	 * kprobe. The walk has come far enough if it has passed the main function.
	 */
	if (behind || (err != -ENOENT && !o->main))
		return -EFAULT;
	return o->fprog ? 0 : -ENOENT;
}

/**
 * fastterm_suspect() - tag the outermost activation of the interrupted context
 * @regs: the interrupted registers
 *
 * Programs without stub images are skipped, as they cannot be terminated. Contexts that the
 * interrupted one has interrupted itself are not searched.
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: its tag, which may have been there before; an error if there is none: -ENOENT if
 * no such program has been interrupted, -EFAULT if the stack made no sense, -EAGAIN where a
 * tag would be lost, or those of fastterm_tag_return().
 */
struct fastterm_tag *fastterm_suspect(struct pt_regs *regs)
{
	struct outermost o = {};
	struct fastterm_tag *tag;
	int err;

	/* Interrupts are off, which is a read-side critical section; lockdep does not know that. */
	rcu_lock_acquire(&rcu_lock_map);
	err = find_outermost(&o, regs);
	rcu_lock_release(&rcu_lock_map);
	if (err)
		return ERR_PTR(err);
	if (!fastterm_is_tag(&o.base)) {
		/* A call may be patched in here, and would overwrite a tag in the link register. */
		if (o.walk.patched && o.base.at == o.walk.frame.link)
			return ERR_PTR(-EAGAIN);
		return fastterm_tag_return(&o.base, o.fprog);
	}
	tag = fastterm_tag_at(o.base.sp);
	if (!tag)
		return ERR_PTR(-EFAULT);
	/* After a tail call, the frame belongs to another program. */
	if (o.fprog) {
		tag->fprog = o.fprog;
		tag->id = o.fprog->id;
	}
	return tag;
}
