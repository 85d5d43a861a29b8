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
#include <linux/bitops.h>
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
#include <linux/sched/task_stack.h>

#include <asm/sections.h>

#include "activation.h"
#include "image.h"
#include "program.h"
#include "trigger.h"
#include "walk.h"

/*
 * The size of a CPU's table: more than the activations that are interrupted or preempted on
 * one CPU at a time. Activations that may sleep use only some of the tags, so that sleepers,
 * however many, leave tags for others.
 */
#define MAX_TAGS 32
#define MAX_SLEEPERS 16

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

DEFINE_PER_CPU(u32, fastterm_nr_leaving);

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
 * fastterm_has_tag() - has a CPU a tag of a program?
 * @fprog: the program
 * @cpu: the CPU, which may be another one; then the answer may be out of date
 *
 * Context: any.
 * Return: true if it has.
 */
bool fastterm_has_tag(const struct fastterm_prog *fprog, int cpu)
{
	const struct tags *t = per_cpu_ptr(&tags, cpu);
	u32 used = atomic_read(&t->used);

	for (; used; used &= used - 1)
		if (READ_ONCE(t->tag[__ffs(used)].fprog) == fprog)
			return true;
	return false;
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
notrace void fastterm_tag_free(struct fastterm_tag *tag)
{
	struct tags *t = this_cpu_ptr(&tags);

	if (tag->leaving)
		this_cpu_dec(fastterm_nr_leaving);
	tag->leaving = false;
	/* The caller has read the tag before it is freed. */
	barrier();
	atomic_andnot(BIT(tag - t->tag), &t->used);
}

/**
 * fastterm_tag_leaves() - note that an activation is to leave
 * @tag: the activation, which is not known to be
 *
 * Context: an interrupt of ours.
 */
void fastterm_tag_leaves(struct fastterm_tag *tag)
{
	tag->cut = false;
	tag->complete = false;
	tag->masked = true;
	WRITE_ONCE(tag->leaving, true);
	this_cpu_inc(fastterm_nr_leaving);
}

/*
 * A free tag; or a tag with the same stack pointer, which belongs to an activation that has
 * never returned: a new one at the same stack pointer means that it never will.
 */
static struct fastterm_tag *tag_for(struct tags *t, unsigned long sp, bool sleepable)
{
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	struct fastterm_tag *tag = tag_at(t, sp);
	u32 free;

	if (tag) {
		if (fastterm_begin_exit(c, tag))
			fastterm_finish_exit(c);
		fastterm_tag_free(tag);
		return tag;
	}
	/* Activations that may sleep use the first tags, others the last free one. */
	free = ~atomic_read(&t->used) & GENMASK((sleepable ? MAX_SLEEPERS : MAX_TAGS) - 1, 0);
	if (!free)
		return NULL;
	return &t->tag[sleepable ? __ffs(free) : __fls(free)];
}

/*
 * Is an address above the stack pointer, and on the same stack? Only the bounds of the
 * task's stack are known; other stacks are assumed not to be larger than that.
 */
static __always_inline bool is_above(unsigned long sp, unsigned long addr)
{
	unsigned long task = (unsigned long)task_stack_page(current);
	bool sp_on_task = sp - task < THREAD_SIZE;
	bool addr_on_task = addr - task < THREAD_SIZE;

	return addr >= sp && sp_on_task == addr_on_task && addr - sp < THREAD_SIZE;
}

/**
 * fastterm_tag_around() - find the activation that is to leave and that has called some code
 * @sp: a stack pointer of that code, in the current task
 * @level: the context of that code, as interrupt_context_level() numbers them
 *
 * Programs that interrupt the activation, and other tasks, are not affected. In the same
 * task and at the same context level, code whose frames are above the base frame on the
 * stack was called from the activation, or was entered by the scheduler or by a fault. The
 * latter two cannot be told apart from it here.
 *
 * Context: any that does not change the CPU.
 * Return: the innermost such activation; NULL if there is none, or if the code is nested in a
 * guard that is tagged and is not to leave.
 */
notrace struct fastterm_tag *fastterm_tag_around(unsigned long sp, u8 level)
{
	struct tags *t = this_cpu_ptr(&tags);
	u32 used = atomic_read(&t->used);
	struct fastterm_tag *tag, *best = NULL;

	for (; used; used &= used - 1) {
		tag = &t->tag[__ffs(used)];
		if (tag->task != current || tag->level != level || !is_above(sp, tag->sp) ||
		    (best && tag->sp > best->sp))
			continue;
		if (READ_ONCE(tag->leaving) || fastterm_is_guard(tag->fprog->prog))
			best = tag;
	}
	return best && READ_ONCE(best->leaving) ? best : NULL;
}

/**
 * fastterm_tag_leaving() - find any activation on this CPU that is to leave
 * @incomplete: only one of which not all frames have been moved
 *
 * Context: any that does not change the CPU.
 * Return: the activation; NULL if there is none.
 */
struct fastterm_tag *fastterm_tag_leaving(bool incomplete)
{
	struct tags *t = this_cpu_ptr(&tags);
	u32 used = this_cpu_read(fastterm_nr_leaving) ? atomic_read(&t->used) : 0;
	struct fastterm_tag *tag;

	for (; used; used &= used - 1) {
		tag = &t->tag[__ffs(used)];
		if (tag->leaving && !(incomplete && tag->complete))
			return tag;
	}
	return NULL;
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
 * @level: the context in which it runs, as interrupt_context_level() numbers them
 * @sleeps: it may sleep
 * @main: its base frame is that of the main function
 *
 * Context: hardirq or NMI, with interrupts off; in the one that has interrupted the
 * activation.
 * Return: the tag; an error if the activation is not tagged: -EFAULT if @where makes no
 * sense, -ENOSPC if no tag is free, or the error of fastterm_move().
 */
struct fastterm_tag *fastterm_tag_return(const struct fastterm_where *where,
					 const struct fastterm_prog *fprog, u8 level,
					 bool sleeps, bool main)
{
	struct tags *t = this_cpu_ptr(&tags);
	struct fastterm_tag *tag;
	int err;

	if (!where->sp || !is_text(where->ip))
		return ERR_PTR(-EFAULT);
	tag = tag_for(t, where->sp, sleeps);
	if (!tag)
		return ERR_PTR(-ENOSPC);
	tag->fprog = fprog;
	tag->id = fprog->id;
	tag->task = current;
	tag->sp = where->sp;
	tag->back = where->ip;
	tag->outer = NULL;
	tag->sleeps = sleeps;
	tag->main = main;
	tag->time = (struct fastterm_time){};
	tag->level = level;
	/* An unwinder on any CPU that reads the tag's address from the stack also finds the tag. */
	smp_wmb();
	atomic_or(BIT(tag - t->tag), &t->used);
	err = fastterm_move(where, (unsigned long)fastterm_arch_exit);
	if (!err)
		return tag;
	fastterm_tag_free(tag);
	return ERR_PTR(err);
}

/* Of how many kernel functions a sample looks at whether they wait for another CPU. */
#define MAX_CALLEES 8

/* Tags that are left for activations whose time has to be counted in any case. */
#define RESERVED_TAGS 8

/* Are there more free tags than those that are reserved? */
static bool has_room(bool sleeps)
{
	const u32 all = GENMASK((sleeps ? MAX_SLEEPERS : MAX_TAGS) - 1, 0);

	return hweight32(~atomic_read(this_cpu_ptr(&tags.used)) & all) > RESERVED_TAGS;
}

/**
 * struct base - where an activation ends
 * @where: the slot of its base frame's return address
 * @fprog: its program; NULL if there is no such activation
 * @main: its base frame is that of the main function
 */
struct base {
	struct fastterm_where where;
	const struct fastterm_prog *fprog;
	bool main;
};

/**
 * struct suspects - the activations on a stack that are tagged
 * @walk: the walk
 * @where: the slot that the walk has come to
 * @level: the level of the interrupted context
 * @innermost: the innermost of those that have been tagged
 * @nr: number of activations that the walk has passed
 * @own: the innermost activation on the stack is tagged
 * @nr_ips: number of @ips
 * @ips: where the innermost functions of the kernel continue that a program has called
 * @doing: what the innermost activation does
 * @err: why one of them has not been tagged
 */
struct suspects {
	struct fastterm_walk walk;
	struct fastterm_where where;
	u8 level;
	struct fastterm_tag *innermost;
	u32 nr;
	bool own;
	u32 nr_ips;
	unsigned long ips[MAX_CALLEES];
	struct fastterm_doing *doing;
	int err;
};

static bool waits(const struct suspects *s)
{
	u32 i;

	for (i = 0; i < s->nr_ips; i++)
		if (fastterm_waits(s->ips[i]))
			return true;
	return false;
}

/* Only in a task: a timer's callback may not sleep, whatever its program may. */
static bool may_sleep(const struct suspects *s, const struct base *base)
{
	return !s->level && (!base->main || base->fprog->prog->sleepable);
}

/* Tag the activation that ends at @base, and list it by its place on the stack. */
static void suspect(struct suspects *s, const struct base *base)
{
	struct fastterm_tag *tag = base->where.tag, **at = &s->innermost;

	while (*at && (*at)->sp < base->where.sp)
		at = &(*at)->outer;
	/* It may have been tagged for another reason; then base->where.tag is out of date. */
	if (*at && (*at)->sp == base->where.sp)
		return;
	/* A call may be patched in here, and would overwrite a tag in the link register. */
	if (!tag && s->walk.patched && base->where.at == s->walk.frame.link)
		tag = ERR_PTR(-EAGAIN);
	else if (!tag)
		tag = fastterm_tag_return(&base->where, base->fprog, s->level, may_sleep(s, base),
					  base->main);
	if (IS_ERR(tag)) {
		s->err = PTR_ERR(tag);
		return;
	}
	/* After a tail call, the frame belongs to another program. */
	tag->fprog = base->fprog;
	tag->id = base->fprog->id;
	tag->outer = *at;
	*at = tag;
}

/*
 * The walk has passed the end of an activation. The innermost one and guards are tagged in any
 * case, and others if there is room: find_suspects() tags those whose time has to be counted.
 */
static void passed(struct suspects *s, const struct base *base)
{
	const bool innermost = !s->nr++;

	if (!innermost && !base->where.tag && !fastterm_is_guard(base->fprog->prog) &&
	    !has_room(may_sleep(s, base)))
		return;
	suspect(s, base);
	if (innermost)
		s->own = s->innermost;
}

/* The program that a slot is in, if it can be told from its main function or its image. */
static const struct fastterm_prog *program_of(const struct fastterm_text *text)
{
	if (text->image)
		return text->image->fprog;
	return fastterm_is_base(text) ? fastterm_of(text->prog) : NULL;
}

static int find_suspects(struct suspects *s, struct pt_regs *regs)
{
	struct base outermost = {}, stoppable = {}, atomic = {}, base = {};
	const struct fastterm_where *where = &s->where;
	const struct fastterm_text *text = &s->walk.text;
	bool inside = false;
	int err;

	for (err = fastterm_walk_begin(&s->walk, regs, NULL, &s->where); !err;
	     err = fastterm_walk_next(&s->walk)) {
		if (inside && !where->again) {
			base.where = *where;
			outermost = base;
			if (base.fprog->images)
				stoppable = base;
			if (base.fprog->images && !base.fprog->prog->sleepable)
				atomic = base;
			/* An extension that a program has called is part of its activation. */
			if (base.main && !text->prog)
				passed(s, &base);
		}
		if (where->again)
			continue;
		if (!text->prog && !s->doing->func) {
			s->doing->callee = where->ip;
			if (s->nr_ips < MAX_CALLEES)
				s->ips[s->nr_ips++] = where->ip;
		}
		if (text->prog && !s->doing->func) {
			s->doing->func = text->prog;
			s->doing->prog = where->ip;
		}
		base.fprog = text->prog ? program_of(text) : NULL;
		base.main = fastterm_is_base(text);
		inside = base.fprog;
	}
	/*
	 * The caller's stack may be one that cannot be walked, as under an optimized
	 * kprobe. The walk has come far enough if it has passed the main function.
	 */
	if (inside || (err != -ENOENT && !outermost.main))
		return -EFAULT;
	if (!outermost.fprog)
		return -ENOENT;
	if (!s->nr)
		passed(s, &outermost);
	suspect(s, &outermost);
	if (stoppable.fprog)
		suspect(s, &stoppable);
	if (atomic.fprog)
		suspect(s, &atomic);
	return 0;
}

/**
 * fastterm_suspect() - tag the activations of the interrupted context
 * @regs: the interrupted registers
 * @doing: receives what the innermost activation does
 *
 * Each activation is tagged, unless tags become scarce. Then those are tagged that have to
 * be: the innermost one, the outermost one, the outermost one that has a stub image, the
 * outermost one of those that may not sleep, since its budget is another one, and each guard.
 * Contexts that the interrupted one has interrupted itself are not searched.
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: the tag of the innermost of them, whose @outer leads to the others; an error if
 * there is none: -ENOENT if no program has been interrupted, -EFAULT if the stack made no
 * sense, -EAGAIN where a tag would be lost, or those of fastterm_tag_return().
 */
struct fastterm_tag *fastterm_suspect(struct pt_regs *regs, struct fastterm_doing *doing)
{
	struct suspects s;
	int err;

	s.level = fastterm_level(regs);
	s.innermost = NULL;
	s.nr = 0;
	s.own = false;
	s.nr_ips = 0;
	s.doing = doing;
	s.err = 0;
	doing->func = NULL;
	/* Interrupts are off, which is a read-side critical section; lockdep does not know that. */
	rcu_lock_acquire(&rcu_lock_map);
	err = find_suspects(&s, regs);
	rcu_lock_release(&rcu_lock_map);
	doing->whose = !s.own ? FASTTERM_NESTED : waits(&s) ? FASTTERM_WAITING : FASTTERM_OWN;
	doing->kernel = s.nr_ips ? s.ips[0] : 0;
	return s.innermost ?: ERR_PTR(err ?: s.err);
}
