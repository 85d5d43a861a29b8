// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking the stack from the interrupted function to its callers, and to every location of
 * an address at which execution continues.
 *
 * The caller of a program's function is found by rules, and the caller of a kernel function
 * by fastterm_arch_step(). The interrupted function may not have saved its return address
 * yet, or may have loaded it again. Where it is a kernel function, and there is a link
 * register, leave_interrupted() finds out whether the address in that register counts.
 *
 * The walk does not trust what it reads: each address that it reads from is on the stack on
 * which the walk has begun, and above the last one. If a stack makes no sense, nothing is
 * changed in it.
 */
#include <linux/bpf.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/thread_info.h>

#include <asm/sections.h>

#include "activation.h"
#include "image.h"
#include "program.h"
#include "walk.h"

/* How many functions of the last program are tried before all programs are searched. */
#define MAX_QUICK 8

static __always_inline unsigned long read(const unsigned long *at)
{
	return READ_ONCE_NOCHECK(*at);
}

static __always_inline unsigned long read_stripped(const unsigned long *at)
{
	return fastterm_arch_strip(read(at));
}

/**
 * fastterm_by_record() - go to the caller by a frame record
 * @frame: the function; becomes its caller, without a stack pointer
 * @offset: distance of the record from the frame pointer; the record is the caller's frame
 *	    pointer and, above it, the return address
 *
 * Context: that of fastterm_arch_begin().
 * Return: 0; -ENOENT if the frame pointer leads to another stack, or if the stack ends
 * there; -EFAULT if it leads to a lower address.
 */
int fastterm_by_record(struct fastterm_frame *frame, int offset)
{
	unsigned long at = frame->fp + offset, *record = (unsigned long *)at;

	if (!fastterm_on_stack(frame, at))
		return fastterm_off_stack(frame, at);
	if (at == frame->high - sizeof(*record))
		return -ENOENT;
	frame->fp = read(&record[0]);
	frame->at = &record[1];
	frame->sp = 0;
	frame->unwind = NULL;
	return 0;
}

/* Is the return address of a program's function in the link register by this rule? */
static bool by_link(const struct fastterm_rule *rule)
{
	return !rule->ra;
}

/* The stack pointer of a program's function while it calls another one, from its frame pointer. */
static unsigned long sp_by(const struct fastterm_rule *rule, unsigned long fp)
{
	return fp + rule->cfa - rule->sp;
}

/*
 * The interrupted function may have saved its return address, but not have set up its frame
 * yet. Then the address is in a frame record below the caller's stack pointer, or in the
 * word right below that pointer.
 */
static unsigned long *find_saved(const struct fastterm_walk *w)
{
	const struct fastterm_frame *f = &w->frame;
	unsigned long *at = (unsigned long *)f->low, *end = (unsigned long *)f->sp;

	for (; at < end; at++)
		if (read_stripped(at) == f->ip &&
		    (at == end - 1 || ((unsigned long)at > f->low && read(at - 1) == f->fp)))
			return at;
	return NULL;
}

/*
 * Kernel functions return to the address on the shadow call stack, if there is one. If the
 * return address of the interrupted function is in the link register, the function has just
 * pushed it, or has not yet pushed it, or has popped it: the same address further down is
 * that of another function.
 */
static unsigned long *find_shadow(struct fastterm_walk *w)
{
	struct fastterm_frame *f = &w->frame;
	u32 left = f->at == f->link && f->shadow_exact ? 2 : U32_MAX;
	unsigned long *at, *next;

	for (at = f->shadow; at && left--; at = next) {
		next = PAGE_ALIGNED(at) ? NULL : at - 1;
		if (read_stripped(at) == f->ip) {
			f->shadow = next;
			return at;
		}
	}
	return NULL;
}

/* All locations of the address have to be found: it may be about to be saved or to be loaded. */
static void find_copies(struct fastterm_walk *w)
{
	unsigned long *link = w->frame.link, *at = NULL;

	if (w->frame.at == link)
		at = find_saved(w);
	else if (read_stripped(link) == w->frame.ip)
		at = link;
	w->told = w->where;
	if (at)
		w->copies[w->nr_copies++] = at;
	at = w->frame.shadow ? find_shadow(w) : NULL;
	if (at)
		w->copies[w->nr_copies++] = at;
}

/* Most frames of programs belong to the program that the walk has passed last. */
static __always_inline const struct fastterm_image *of_last(const struct fastterm_walk *w,
							    unsigned long ip)
{
	const struct fastterm_prog *fprog = w->fprog;
	u32 i;

	for (i = 0; fprog && i < fprog->nr_funcs && i < MAX_QUICK; i++)
		if (ip - fprog->images[i]->entry < fprog->images[i]->func_size)
			return fprog->images[i];
	return NULL;
}

/* Find the program at an address outside of the kernel's text, and its rules. */
static __always_inline bool find_text(struct fastterm_walk *w, unsigned long ip,
				      struct fastterm_text *text,
				      const struct fastterm_rules **rules)
{
	const struct fastterm_image *image = of_last(w, ip);

	if (image) {
		text->prog = image->func;
		text->image = image;
		text->off = ip - image->entry;
		text->copy = false;
		*rules = image->rules;
		return true;
	}
	if (!fastterm_text_at(ip, text))
		return false;
	if (text->image)
		w->fprog = text->image->fprog;
	*rules = fastterm_aux(text->prog)->rules;
	return true;
}

/*
 * Read the return address at frame.at, and describe the slot. The rest of the frame has
 * been set up for the function that the address is in.
 */
static __always_inline int arrive(struct fastterm_walk *w, enum fastterm_form form, bool program)
{
	struct fastterm_frame *f = &w->frame;
	struct fastterm_where *where = w->where;
	const struct fastterm_rule *rule = NULL;
	const struct fastterm_rules *rules;
	unsigned long *at = f->at, *traced = NULL;
	unsigned long ip;
	bool kernel;

	if (at != f->link) {
		if (!fastterm_on_stack(f, (unsigned long)at))
			return fastterm_off_stack(f, (unsigned long)at);
		f->low = (unsigned long)(at + 1);
	}
	f->regs = NULL;
	ip = form == FASTTERM_PLAIN ? read(at) : read_stripped(at);
	f->ip = ip;
	kernel = __is_kernel_text(ip);
	if (kernel && fastterm_is_tracer(ip))
		traced = fastterm_traced(f, &w->tracers);
	if (traced) {
		at = traced;
		ip = *traced;
		f->ip = ip;
		kernel = __is_kernel_text(ip);
		form = FASTTERM_PLAIN;
	}
	where->tag = NULL;
	if (kernel && program && fastterm_is_exit(ip)) {
		where->tag = fastterm_tag_at(f->sp);
		if (!where->tag)
			return -EFAULT;
		ip = where->tag->back;
		f->ip = ip;
		kernel = __is_kernel_text(ip);
	}
	where->at = at;
	where->ip = ip;
	where->form = form;
	where->again = false;
	/* Test the kernel's own text first: it is the usual case. */
	if (kernel) {
		w->text.prog = NULL;
		w->text.image = NULL;
	} else if (find_text(w, ip, &w->text, &rules)) {
		rule = fastterm_rule_at(rules, w->text.off);
		/* A trampoline that has just been called has no frame record yet. */
		if (!rule || (by_link(rule) && at == f->link))
			return -EFAULT;
		if (rule->sp) {
			if (f->sp && f->sp != sp_by(rule, f->fp))
				return -EFAULT;
			f->sp = sp_by(rule, f->fp);
		}
		if (!program && f->link && !traced)
			find_copies(w);
	} else {
		w->text.image = NULL;
		if (!__kernel_text_address(ip))
			return ip ? -EFAULT : -ENOENT;
	}
	where->sp = f->sp;
	w->rule = rule;
	return 0;
}

/* Go to the caller of a program's function. */
static int leave_program(struct fastterm_walk *w)
{
	const struct fastterm_rule *rule = w->rule;
	struct fastterm_frame *f = &w->frame;
	unsigned long cfa, fp;
	int err;

	f->unwind = NULL;
	if (by_link(rule) && !f->regs) {
		/*
		 * The function has called a trampoline from its entry, which has made a
		 * frame record for it.
		 */
		err = fastterm_arch_step(f);
		if (err)
			return err;
		f->sp = (unsigned long)(f->at + 1);
		return arrive(w, FASTTERM_PLAIN, true);
	}
	cfa = (rule->flags & FASTTERM_RULE_FP ? f->fp : f->sp) + rule->cfa;
	f->sp = cfa;
	if (rule->fp) {
		fp = cfa - rule->fp;
		if (!fastterm_on_stack(f, fp))
			return fastterm_off_stack(f, fp);
		f->fp = read((unsigned long *)fp);
	}
	f->at = rule->ra ? (unsigned long *)(cfa - rule->ra) : f->link;
	return arrive(w, rule->flags & FASTTERM_RULE_SIGNED ? FASTTERM_SIGNED : FASTTERM_PLAIN,
		      true);
}

static noinline int arrive_from_kernel(struct fastterm_walk *w)
{
	return arrive(w, FASTTERM_EITHER, false);
}

/* Go to the caller of a kernel function whose return address is in the link register. */
static int leave_by_link(struct fastterm_walk *w)
{
	w->frame.at = w->frame.link;
	return arrive_from_kernel(w);
}

static bool same_function(const struct fastterm_text *a, const struct fastterm_text *b)
{
	return a->image ? a->image == b->image : a->prog == b->prog;
}

/*
 * Was the word, in which the return address will be saved, written by another function? In
 * a frame that is being set up, the word may still contain the return address of an earlier
 * call from the same function.
 */
static bool is_others(unsigned long saved, const struct fastterm_text *text)
{
	struct fastterm_text stale;

	if (__is_kernel_text(saved))
		return true;
	return fastterm_text_at(saved, &stale) ? !same_function(&stale, text) :
						 __kernel_text_address(saved);
}

/*
 * The frame pointer of the program's function that has called the interrupted one. If the
 * interrupted function has changed the register, it has saved the program's value before,
 * alone or with the return address. The size of the program's frame shows which value is
 * right.
 */
static unsigned long callers_fp(const struct fastterm_frame *f, const struct fastterm_frame *caller,
				const struct fastterm_text *text, const struct fastterm_rule *rule)
{
	const unsigned long saved = read(caller->at);

	if (!caller->sp)
		return f->fp;
	if (sp_by(rule, saved) == caller->sp)
		return saved;
	if (sp_by(rule, caller->fp) == caller->sp && !is_others(saved, text))
		return caller->fp;
	return f->fp;
}

/*
 * A kernel function has been interrupted, on an architecture with a link register. The
 * frame pointer leads to a caller; but if the function has not set up its frame yet, or has
 * already left it, this is the caller's caller. Then the link register has the return
 * address, if it leads into a program and is not a stale value.
 */
static int leave_interrupted(struct fastterm_walk *w)
{
	struct fastterm_frame *f = &w->frame, caller = *f, outer = *f;
	struct fastterm_tracers tracers = w->tracers;
	const struct fastterm_rule *rule;
	unsigned long ip, saved, *traced;
	struct fastterm_text text;
	int err;

	err = fastterm_arch_step(&caller);
	if (err)
		return err;
	outer.ip = read_stripped(f->link);
	saved = read(caller.at);
	if (fastterm_arch_strip(saved) == outer.ip)
		goto by_frame;

	outer.at = f->link;
	outer.sp = 0;
	traced = fastterm_is_tracer(outer.ip) ? fastterm_traced(&outer, &tracers) : NULL;
	ip = traced ? *traced : outer.ip;
	if (__is_kernel_text(ip) || !fastterm_text_at(ip, &text)) {
		/* A leaf function may have saved only the frame pointer. */
		outer = *f;
		outer.sp = 0;
		outer.fp = saved;
		if (saved <= f->fp || fastterm_arch_step(&outer))
			goto by_frame;
		f->fp = saved;
		f->sp = caller.sp;
		return leave_by_link(w);
	}
	rule = fastterm_rule_at(fastterm_aux(text.prog)->rules, text.off);
	if (!rule || by_link(rule))
		return -EFAULT;
	if (!traced) {
		/*
		 * A trampoline has two frames: the address may be the return address of the
		 * second one.
		 */
		outer = caller;
		if (!fastterm_arch_step(&outer) && read_stripped(outer.at) == ip)
			goto by_frame;
		if (!fastterm_called_from(&text, f->ip))
			return -EFAULT;
	}
	f->fp = callers_fp(f, &caller, &text, rule);
	f->sp = sp_by(rule, f->fp);
	return f->sp < f->low ? -EFAULT : leave_by_link(w);

by_frame:
	*f = caller;
	return arrive_from_kernel(w);
}

/**
 * fastterm_walk_begin() - begin a walk, at the interrupted pc
 * @w: the walk
 * @regs: the interrupted registers
 * @likely: a program that is likely to have been interrupted, or NULL
 * @where: receives the first slot
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: 0; -ENOENT if no program can have been interrupted, as in user mode; -EFAULT if a
 * program has been interrupted where its frame cannot be described.
 */
int fastterm_walk_begin(struct fastterm_walk *w, struct pt_regs *regs,
			const struct fastterm_prog *likely, struct fastterm_where *where)
{
	const unsigned long stack = (unsigned long)task_stack_page(current);
	struct fastterm_frame *f = &w->frame;
	const struct fastterm_rules *rules;
	u32 off;
	int err;

	if (user_mode(regs))
		return -ENOENT;
	f->regs = regs;
	f->ip = instruction_pointer(regs);
	f->sp = kernel_stack_pointer(regs);
	f->bottom = f->sp;
	f->low = f->sp;
	f->high = f->sp - stack < THREAD_SIZE ? stack + THREAD_SIZE : 0;
	f->at = NULL;
	f->link = NULL;
	f->shadow = NULL;
	f->unwind = NULL;
	err = fastterm_arch_begin(regs, f);
	if (err)
		return err;
	w->where = where;
	w->fprog = likely;
	w->rule = NULL;
	w->tracers.graph = 0;
	w->tracers.hook = NULL;
	w->tracers.floor = f->sp - sizeof(*regs);
	w->nr_copies = 0;
	w->patched = false;
	where->at = NULL;
	where->ip = f->ip;
	where->sp = f->sp;
	where->tag = NULL;
	where->form = FASTTERM_PLAIN;
	where->again = false;
	if (__is_kernel_text(f->ip) || !find_text(w, f->ip, &w->text, &rules)) {
		w->text.prog = NULL;
		w->text.image = NULL;
		return 0;
	}
	/*
	 * A thunk is entered by a call or a jump. Its frame is that of a function that has
	 * just been entered, so the rule for offset 0 holds.
	 */
	off = w->text.off;
	if (w->text.image && off >= w->text.image->func_size)
		off = 0;
	w->rule = fastterm_rule_at(rules, off);
	if (!w->rule)
		return -EFAULT;
	w->patched = w->rule->flags & FASTTERM_RULE_PATCHED;
	return 0;
}

static noinline int find_next(struct fastterm_walk *w)
{
	int err;

	if (w->nr_copies) {
		*w->where = *w->told;
		w->where->at = w->copies[--w->nr_copies];
		w->where->again = true;
		return 0;
	}
	if (w->rule)
		return leave_program(w);
	if (w->frame.regs && w->frame.link)
		return leave_interrupted(w);
	err = fastterm_arch_step(&w->frame);
	return err ?: arrive_from_kernel(w);
}

/**
 * fastterm_walk_here() - begin a walk at the caller of this function
 * @w: the walk
 * @where: receives the first slot: the return address of the caller
 *
 * Context: any, with interrupts off until the walk has ended.
 * Return: 0; -ENOENT or -EFAULT if the caller's stack cannot be walked.
 */
noinline int fastterm_walk_here(struct fastterm_walk *w, struct fastterm_where *where)
{
	const unsigned long stack = (unsigned long)task_stack_page(current);
	struct fastterm_frame *f = &w->frame;
	struct pt_regs none = {};
	int err;

	memset(w, 0, sizeof(*w));
	w->where = where;
	f->sp = current_stack_pointer;
	f->bottom = f->sp;
	f->low = f->sp;
	f->high = f->sp - stack < THREAD_SIZE ? stack + THREAD_SIZE : 0;
	w->tracers.floor = f->sp;
	/* This finds the end of the stack. All other members are about interrupted registers. */
	err = fastterm_arch_begin(&none, f);
	if (err)
		return err;
	f->link = NULL;
	f->shadow = NULL;
	f->ip = _THIS_IP_;
	f->fp = (unsigned long)__builtin_frame_address(0);
	/* The frame of this function is gone when the walk goes on. */
	err = fastterm_arch_step(f);
	if (err)
		return err;
	f->ip = read_stripped(f->at);
	f->low = (unsigned long)(f->at + 1);
	return fastterm_walk_next(w);
}

/**
 * fastterm_walk_next() - go to the next slot
 * @w: the walk
 *
 * The slots are those of all return addresses of kernel functions and programs, the
 * innermost first. An address with several locations has a slot for each of them.
 *
 * This function itself handles the most frequent steps, with few instructions: from the
 * body of a program's function to the body of a function of the same program, or to the
 * kernel. All other steps, and these as well, can be done by find_next().
 *
 * Context: that of fastterm_walk_begin().
 * Return: 0, with the next slot in @w->where and @w->text; -ENOENT if the walk has come to
 * its end: the end of the stack, or another context's registers; -EFAULT if the stack makes
 * no sense.
 */
int fastterm_walk_next(struct fastterm_walk *w)
{
	const struct fastterm_rule *rule = w->rule;
	struct fastterm_frame *f = &w->frame;
	struct fastterm_where *where = w->where;
	const struct fastterm_image *image;
	struct fastterm_tag *tag = NULL;
	unsigned long cfa, *at, fp, ip;
	u32 off;

	if (!rule || !(rule->flags & FASTTERM_RULE_FRAME) || w->nr_copies)
		return find_next(w);
	cfa = f->fp + rule->cfa;
	if (cfa - rule->fp < f->low || cfa > f->high || cfa % sizeof(cfa))
		return find_next(w);
	at = (unsigned long *)(cfa - rule->ra);
	fp = read((unsigned long *)(cfa - rule->fp));
	ip = read(at);
	if (rule->flags & FASTTERM_RULE_SIGNED)
		ip = fastterm_arch_strip(ip);
	if (__is_kernel_text(ip)) {
		if (fastterm_is_tracer(ip))
			return find_next(w);
		if (fastterm_is_exit(ip)) {
			tag = fastterm_tag_at(cfa);
			if (!tag || !__is_kernel_text(tag->back))
				return find_next(w);
			ip = tag->back;
		}
		w->text.prog = NULL;
		w->text.image = NULL;
		w->rule = NULL;
		f->ip = ip;
		f->at = at;
		f->unwind = NULL;
	} else {
		image = of_last(w, ip);
		if (!image)
			return find_next(w);
		off = ip - image->entry;
		if (off - image->rules->body_off >= image->rules->body_size)
			return find_next(w);
		w->text.prog = image->func;
		w->text.image = image;
		w->text.off = off;
		w->text.copy = false;
		w->rule = image->rules->body;
		if (w->rule->sp && cfa != sp_by(w->rule, fp))
			return -EFAULT;
	}
	where->form = rule->flags & FASTTERM_RULE_SIGNED ? FASTTERM_SIGNED : FASTTERM_PLAIN;
	f->sp = cfa;
	f->fp = fp;
	f->low = (unsigned long)(at + 1);
	f->regs = NULL;
	where->at = at;
	where->ip = ip;
	where->sp = cfa;
	where->tag = tag;
	where->again = false;
	return 0;
}
