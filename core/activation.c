// SPDX-License-Identifier: GPL-2.0-only
/*
 * The activation that is terminated on a CPU: how it is known, and how it ends.
 *
 * The return address of its base frame is replaced by that of a few instructions
 * of the architecture's, fastterm_arch_exit(), the tag. While the tag is in its
 * place the activation is the same one, and not the next one at the same depth;
 * when it is returned to, the activation has gone. Programs cannot migrate, so
 * that happens on the same CPU.
 */
#include <linux/fastterm_arch.h>
#include <linux/kprobes.h>
#include <linux/panic.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "internal.h"
#include "trace.h"

DEFINE_PER_CPU(struct fastterm_activation, fastterm_activation);

/* Whether the CPU's activation is FASTTERM_LEAVING: all that others have to ask. */
DEFINE_PER_CPU(bool, fastterm_leaving);

/**
 * fastterm_is_leaving() - is the caller part of the activation that is leaving?
 *
 * Others are not disturbed: a program that interrupts it, or another task. In the
 * same task and at the same level, what runs on the stack above the base frame
 * has been called from there; or by the scheduler and by faults, which go through
 * no interrupt, and whose programs' loops are then cut short as well.
 *
 * Context: any in which programs run.
 * Return: true if it is.
 */
bool fastterm_is_leaving(void)
{
	const struct fastterm_activation *a = this_cpu_ptr(&fastterm_activation);

	return a->task == current && a->level == interrupt_context_level() &&
	       (unsigned long)__builtin_frame_address(0) < a->sp;
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
	unsigned long back = a->back;

	/* Nobody else knows where to go. */
	if (atomic_read(&a->state) != FASTTERM_LEAVING || a->sp != sp)
		panic("fastterm: a program returns from nowhere\n");

	/* What is attached to the tracepoint is no part of it. */
	__this_cpu_write(fastterm_leaving, false);
	a->outcome.exit_ns = fastterm_lap(a);
	trace_bpf_fastterm_exit(&a->outcome, *result);
	/* From here on it may be claimed anew. */
	atomic_set_release(&a->state, FASTTERM_GONE);
	return back;
}

NOKPROBE_SYMBOL(fastterm_exit);
