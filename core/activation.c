// SPDX-License-Identifier: GPL-2.0-only
/*
 * The activation that is terminated on a CPU: who is part of it, and how it ends.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/panic.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>

#include "activation.h"
#include "program.h"
#include "trace.h"
#include "trigger.h"

DEFINE_PER_CPU(struct fastterm_activation, fastterm_activation);

/*
 * Whether the CPU's activation is FASTTERM_LEAVING, or no interrupt gets through to it:
 * all that others have to ask.
 */
DEFINE_PER_CPU(bool, fastterm_leaving);

/*
 * No interrupt gets through to this CPU. If that is a program's fault, it runs in an NMI,
 * or in an exception that masks what there is.
 */
static DEFINE_PER_CPU(bool, irqs_unreachable);

/*
 * Is an address above the stack pointer, and on the same stack? The task's stack is known.
 * Of others it is that they are no larger.
 */
static __always_inline bool is_above(unsigned long sp, unsigned long addr)
{
	unsigned long task = (unsigned long)task_stack_page(current);
	bool sp_on_task = sp - task < THREAD_SIZE;
	bool addr_on_task = addr - task < THREAD_SIZE;

	return addr >= sp && sp_on_task == addr_on_task && addr - sp < THREAD_SIZE;
}

/*
 * Is the caller part of the activation that is leaving? Others are not disturbed: a
 * program that interrupts it, or another task. In the same task and at the same level,
 * what runs on the stack above the base frame has been called from there; or by the
 * scheduler and by faults, which go through no interrupt, and whose programs' loops are
 * then cut short as well. Not traced, for the sake of fastterm_refuses().
 */
static notrace bool is_leaving(void)
{
	const struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);
	const struct fastterm_tag *tag;

	if (atomic_read(&a->state) != FASTTERM_LEAVING)
		return false;
	/* Where the caller has been preempted, it may have left, and another be wanted. */
	tag = READ_ONCE(a->tag);
	return tag && tag->task == current && a->level == interrupt_context_level() &&
	       is_above((unsigned long)__builtin_frame_address(0), tag->sp);
}

/**
 * fastterm_refuses() - would a program become part of the activation that is leaving?
 *
 * The scheduler enters programs for the sake of other tasks as well. They are not refused,
 * nor is anything else in a task that has interrupts off.
 *
 * Context: any in which programs are entered: the CPU does not change. Not traced: a
 * program that is attached to it would ask it.
 * Return: true if it would.
 */
bool notrace fastterm_refuses(void)
{
	return (interrupt_context_level() || !irqs_disabled()) && is_leaving();
}

/**
 * fastterm_stops_loops() - are the loops over callbacks that the caller is in to end?
 *
 * Context: any in which programs run: the CPU does not change.
 * Return: true if they are: with the activation that is leaving, or with all others on
 * a CPU that no interrupt gets through to.
 */
bool fastterm_stops_loops(void)
{
	return __this_cpu_read(irqs_unreachable) || is_leaving();
}

/**
 * fastterm_cut_loops() - let a CPU's programs call callbacks no more
 * @cpu: the CPU, which takes no interrupts
 * @cut: whether they shall not; or may they after all?
 *
 * Context: any.
 */
void fastterm_cut_loops(int cpu, bool cut)
{
	WRITE_ONCE(per_cpu(irqs_unreachable, cpu), cut);
	if (cut)
		WRITE_ONCE(per_cpu(fastterm_leaving, cpu), true);
}

/**
 * fastterm_irqs_reach_again() - this CPU takes interrupts: undo fastterm_cut_loops()
 *
 * Context: hardirq, or an NMI that has interrupted what had interrupts on.
 */
void fastterm_irqs_reach_again(void)
{
	const struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);

	/* The flag may be left over from loops that were not to be cut after all. */
	if (!__this_cpu_read(irqs_unreachable) && !__this_cpu_read(fastterm_leaving))
		return;
	__this_cpu_write(irqs_unreachable, false);
	__this_cpu_write(fastterm_leaving, atomic_read(&a->state) == FASTTERM_LEAVING);
}

/*
 * The activation that is terminated on this CPU has returned to its tag. Since its state was
 * read to be @state, an interrupt may have put another activation in its place: then nothing
 * is told of it.
 */
static void activation_exited(struct fastterm_activation *a, const struct fastterm_tag *tag,
			      int state, unsigned long result)
{
	if (!fastterm_begin_exit(a, state))
		return;
	if (a->tag != tag) {
		fastterm_cancel_exit(a, state);
		/* A kick that came meanwhile has found nothing to do, nor seen to the next. */
		irq_work_queue(&a->soon);
		return;
	}
	/* A program that is attached to the tracepoint is no part of the activation. */
	WRITE_ONCE(*a->flag, __this_cpu_read(irqs_unreachable));
	a->outcome.exit_ns = fastterm_lap(a);
	if (state == FASTTERM_LEAVING) {
		trace_bpf_fastterm_exit(&a->outcome, result);
		fastterm_trigger_exited(&a->outcome);
	}
	fastterm_finish_exit(a);
}

/**
 * fastterm_exit() - a tagged activation has returned
 * @sp: the stack pointer behind the return
 * @result: what the program returns
 *
 * Context: that in which the program ran; from fastterm_arch_exit() alone. Not
 * traced: it runs where the kernel believes the program to be.
 * Return: the address where it would have gone.
 */
unsigned long notrace fastterm_exit(unsigned long sp, unsigned long *result)
{
	struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);
	/* Acquire: whoever wants it has said so before. */
	int state = atomic_read_acquire(&a->state);
	struct fastterm_tag *tag = READ_ONCE(a->tag);
	unsigned long back;

	/* What has come in between has another tag, with another stack pointer, or none. */
	if (state != FASTTERM_LEAVING || !tag || tag->sp != sp)
		tag = fastterm_tag_at(sp);
	/* Nobody else knows where to go. */
	if (!tag)
		panic("fastterm: a program returns from nowhere\n");
	back = tag->back;
	if (tag->leaving)
		atomic_inc(&tag->fprog->prog->aux->fastterm.terminations);
	if (READ_ONCE(a->tag) == tag && (state == FASTTERM_WANTED || state == FASTTERM_LEAVING))
		activation_exited(a, tag, state, *result);
	fastterm_tag_free(tag);
	return back;
}

NOKPROBE_SYMBOL(fastterm_exit);
