// SPDX-License-Identifier: GPL-2.0-only
/*
 * The activations that are to leave on a CPU: which code belongs to them, and their exit.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/lockdep.h>
#include <linux/panic.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>

#include "activation.h"
#include "events.h"
#include "image.h"
#include "impose.h"
#include "program.h"
#include "trigger.h"
#include "walk.h"

DEFINE_PER_CPU(struct fastterm_cpu, fastterm_cpu);

/*
 * Set while an activation on this CPU is to leave, while an interrupt of ours is handled, or
 * while no interrupt reaches the CPU. While it is clear, callers in <linux/fastterm.h> need
 * not test anything else.
 */
DEFINE_PER_CPU(bool, fastterm_leaving);

/*
 * Neither an interrupt nor an NMI reaches this CPU. If a program is the reason, the program
 * runs in an NMI, or in an exception that masks interrupts and NMIs.
 */
static DEFINE_PER_CPU(bool, irqs_unreachable);

/**
 * fastterm_update_flag() - clear fastterm_leaving, unless there is a reason for it to be set
 * @c: this CPU's terminations
 *
 * Context: any, with interrupts off.
 */
notrace void fastterm_update_flag(struct fastterm_cpu *c)
{
	WRITE_ONCE(*c->flag, false);
	/*
	 * Whatever becomes a reason from here on, in an NMI or by another CPU, sets the flag
	 * itself. Pairs with fastterm_cut_loops().
	 */
	smp_mb();
	if (c->busy || __this_cpu_read(irqs_unreachable) || this_cpu_read(fastterm_nr_leaving))
		WRITE_ONCE(*c->flag, true);
}

NOKPROBE_SYMBOL(fastterm_update_flag);

/*
 * Is the caller, which an activation that is to leave has called, part of a guard that the
 * activation has caused to run?
 */
static notrace bool is_in_guard(const struct fastterm_tag *tag)
{
	const struct bpf_prog *base = NULL;
	struct fastterm_walk w;
	struct fastterm_where where;
	bool guard = false;
	int err;

	for (err = fastterm_walk_here(&w, &where); !err && !guard; err = fastterm_walk_next(&w)) {
		if (where.again)
			continue;
		if (where.tag == tag)
			break;
		/* An activation ends here that is nested in the one that is to leave. */
		guard = base && fastterm_is_guard(base);
		base = NULL;
		if (fastterm_is_base(&w.text))
			base = w.text.image ? w.text.image->fprog->prog : w.text.prog;
	}
	return guard;
}

/*
 * The activation that is to leave and that the caller is part of; NULL if there is none. A
 * guard is not part of it, nor is what is nested in a guard: if no sample has tagged the
 * guard yet, it is looked for on the stack. Not traced, because fastterm_refuses() calls
 * this.
 */
static notrace struct fastterm_tag *leaving(void)
{
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	struct fastterm_tag *tag;
	unsigned long flags;

	tag = fastterm_tag_around((unsigned long)__builtin_frame_address(0),
				  interrupt_context_level());
	if (!tag || !atomic_read(&fastterm_nr_guards))
		return tag;
	rcu_read_lock();
	/* Programs that trace interrupts being switched off would ask the same again. */
	raw_local_irq_save(flags);
	lockdep_off();
	if (fastterm_interrupt_begins(c)) {
		if (is_in_guard(tag))
			tag = NULL;
		/* This may hold a lock of the scheduler: do not wake anybody to report events. */
		fastterm_not_busy(c);
	}
	lockdep_on();
	raw_local_irq_restore(flags);
	rcu_read_unlock();
	return tag;
}

/**
 * fastterm_refuses() - is a program to be kept from running now?
 * @prog: the program; NULL if there may be several
 *
 * The scheduler enters programs on behalf of other tasks as well, with interrupts off. So
 * in a task that has interrupts off, a program is refused only if the activation that is to
 * leave has interrupts off itself, and cannot have been switched away.
 *
 * Context: any in which programs are entered: the CPU does not change. Not traced: a
 * program that is attached to this function would call it again.
 * Return: true if it is.
 */
bool notrace fastterm_refuses(const struct bpf_prog *prog)
{
	const struct fastterm_tag *tag;

	if (prog && fastterm_is_guard(prog))
		return false;
	if (this_cpu_ptr(&fastterm_cpu)->busy)
		return true;
	tag = leaving();
	return tag && (interrupt_context_level() || !irqs_disabled() || tag->masked);
}

/**
 * fastterm_stops_loops() - does the caller's loop over a callback have to end?
 *
 * Context: any in which programs run: the CPU does not change.
 * Return: true if the caller is part of the activation that is leaving, or if no interrupt
 * reaches this CPU.
 */
bool fastterm_stops_loops(void)
{
	struct fastterm_tag *tag = leaving();

	if (tag)
		tag->cut = true;
	return tag || __this_cpu_read(irqs_unreachable);
}

/**
 * fastterm_cut_loops() - end the loops over callbacks on a CPU, or allow them again
 * @cpu: the CPU, which takes no interrupts
 * @cut: true to end the loops, false to allow them again
 *
 * Context: any.
 */
void fastterm_cut_loops(int cpu, bool cut)
{
	WRITE_ONCE(per_cpu(irqs_unreachable, cpu), cut);
	/* Pairs with fastterm_update_flag(). */
	smp_mb();
	if (cut)
		WRITE_ONCE(per_cpu(fastterm_leaving, cpu), true);
}

/**
 * fastterm_irqs_reach_again() - undo fastterm_cut_loops(), since this CPU takes interrupts
 *
 * Context: an interrupt of ours: hardirq, or an NMI that has interrupted code with
 * interrupts on.
 */
void fastterm_irqs_reach_again(void)
{
	/* When the interrupt ends, fastterm_leaving is cleared if nothing else needs it. */
	__this_cpu_write(irqs_unreachable, false);
}

/*
 * An activation that was to leave has left. The state that a kick needs is consistent before
 * anything is called that can be traced: a program that runs there can be terminated like any
 * other.
 */
static notrace void left(struct fastterm_cpu *c, struct fastterm_tag *tag, unsigned long *result)
{
	const struct fastterm_denial *denial = &tag->fprog->denial;
	struct fastterm_outcome outcome;
	unsigned long flags;

	raw_local_irq_save(flags);
	if (tag->main && tag->cut && fastterm_imposes(denial))
		*result = (long)denial->value;
	tag->outcome.exit_ns = fastterm_lap(&tag->since);
	outcome = tag->outcome;
	atomic_inc(&fastterm_of(tag->fprog->prog)->terminations);
	if (fastterm_begin_exit(c, tag)) {
		c->outcome = outcome;
		fastterm_finish_exit(c);
	}
	fastterm_tag_free(tag);
	if (!this_cpu_read(fastterm_nr_leaving))
		fastterm_update_flag(c);
	raw_local_irq_restore(flags);
	fastterm_events_exit(&outcome, *result);
	fastterm_trigger_exited(&outcome);
}

/**
 * fastterm_exit() - handle the return of a tagged activation
 * @sp: the stack pointer behind the return
 * @result: the program's return value, which is replaced if another one is imposed
 *
 * Context: that in which the program ran; only fastterm_arch_exit() calls this. Not traced:
 * for the rest of the kernel the program is still running.
 * Return: the original return address.
 */
unsigned long notrace fastterm_exit(unsigned long sp, unsigned long *result)
{
	struct fastterm_tag *tag = fastterm_tag_at(sp);
	unsigned long back;

	/* The return address is in the tag only. */
	if (!tag)
		panic("fastterm: a program returns from nowhere\n");
	back = tag->back;
	if (READ_ONCE(tag->leaving))
		left(this_cpu_ptr(&fastterm_cpu), tag, result);
	else
		fastterm_tag_free(tag);
	return back;
}

NOKPROBE_SYMBOL(fastterm_exit);
