// SPDX-License-Identifier: GPL-2.0-only
/*
 * The activation that is being terminated on a CPU: which code belongs to it, and its exit.
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
 * Set while the CPU's activation is FASTTERM_LEAVING, or while no interrupt reaches the
 * CPU. While it is clear, callers in <linux/fastterm.h> need not test anything else.
 */
DEFINE_PER_CPU(bool, fastterm_leaving);

/*
 * Neither an interrupt nor an NMI reaches this CPU. If a program is the reason, the program
 * runs in an NMI, or in an exception that masks interrupts and NMIs.
 */
static DEFINE_PER_CPU(bool, irqs_unreachable);

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

/*
 * Is the caller part of the activation that is leaving? Programs that interrupt it, and
 * other tasks, are not affected. In the same task and at the same context level, code whose
 * frames are above the base frame on the stack was called from the activation, or was
 * entered by the scheduler or by a fault. The latter two cannot be told apart from it, so
 * loops of their programs end early as well. Not traced, because fastterm_refuses() calls
 * it.
 */
static notrace bool is_leaving(void)
{
	const struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);
	const struct fastterm_tag *tag;

	if (atomic_read(&a->state) != FASTTERM_LEAVING)
		return false;
	/*
	 * The caller may have been preempted. Since then the activation may have left, and
	 * the termination of another one been requested.
	 */
	tag = READ_ONCE(a->tag);
	return tag && tag->task == current && a->level == interrupt_context_level() &&
	       is_above((unsigned long)__builtin_frame_address(0), tag->sp);
}

/**
 * fastterm_refuses() - would a program become part of the activation that is leaving?
 * @prog: the program; NULL if there may be several
 *
 * The scheduler enters programs on behalf of other tasks as well, with interrupts off. So
 * no program is refused in a task that has interrupts off.
 *
 * Context: any in which programs are entered: the CPU does not change. Not traced: a
 * program that is attached to this function would call it again.
 * Return: true if it would.
 */
bool notrace fastterm_refuses(const struct bpf_prog *prog)
{
	return (interrupt_context_level() || !irqs_disabled()) && is_leaving();
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
	return __this_cpu_read(irqs_unreachable) || is_leaving();
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
	if (cut)
		WRITE_ONCE(per_cpu(fastterm_leaving, cpu), true);
}

/**
 * fastterm_irqs_reach_again() - undo fastterm_cut_loops(), since this CPU takes interrupts
 *
 * Context: hardirq, or an NMI that has interrupted code with interrupts on.
 */
void fastterm_irqs_reach_again(void)
{
	const struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);

	/* fastterm_cut_loops(cpu, false) leaves fastterm_leaving set. */
	if (!__this_cpu_read(irqs_unreachable) && !__this_cpu_read(fastterm_leaving))
		return;
	__this_cpu_write(irqs_unreachable, false);
	__this_cpu_write(fastterm_leaving, atomic_read(&a->state) == FASTTERM_LEAVING);
}

/*
 * The activation that is being terminated on this CPU has returned to its tag. Since the
 * caller has read @state, an interrupt may have put another activation in its place: then
 * the exit is not reported.
 */
static void activation_exited(struct fastterm_activation *a, const struct fastterm_tag *tag,
			      int state, unsigned long result)
{
	if (!fastterm_begin_exit(a, state))
		return;
	if (a->tag != tag) {
		fastterm_cancel_exit(a, state);
		/*
		 * A kick that came while the state was CLAIMED did nothing, and scheduled
		 * no further kick.
		 */
		irq_work_queue(&a->soon);
		return;
	}
	/* Programs that are attached to the tracepoint are not part of the activation. */
	WRITE_ONCE(*a->flag, __this_cpu_read(irqs_unreachable));
	a->outcome.exit_ns = fastterm_lap(a);
	if (state == FASTTERM_LEAVING) {
		trace_bpf_fastterm_exit(&a->outcome, result);
		fastterm_trigger_exited(&a->outcome);
	}
	fastterm_finish_exit(a);
}

/**
 * fastterm_exit() - handle the return of a tagged activation
 * @sp: the stack pointer behind the return
 * @result: the program's return value
 *
 * Context: that in which the program ran; only fastterm_arch_exit() calls this. Not traced:
 * for the rest of the kernel the program is still running.
 * Return: the original return address.
 */
unsigned long notrace fastterm_exit(unsigned long sp, unsigned long *result)
{
	struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);
	/* Acquire: the requester has written @a before it has set the state. */
	int state = atomic_read_acquire(&a->state);
	struct fastterm_tag *tag = READ_ONCE(a->tag);
	unsigned long back;

	/*
	 * An activation that a kick has put there meanwhile has another stack pointer, or
	 * no tag.
	 */
	if (state != FASTTERM_LEAVING || !tag || tag->sp != sp)
		tag = fastterm_tag_at(sp);
	/* The return address is in the tag only. */
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
