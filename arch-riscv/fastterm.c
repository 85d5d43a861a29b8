// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: stacks of riscv64.
 */
#include <linux/fastterm_arch.h>
#include <linux/ftrace.h>
#include <linux/percpu.h>

#include <asm/asm-offsets.h>
#include <asm/irq_stack.h>
#include <asm/sections.h>
#include <asm/stacktrace.h>

/* fastterm_arch_kick() is in kernel/smp.c, with the IPIs. */

/* An entry is two instructions, between which a preempted task may be while all CPUs stop. */
bool fastterm_arch_patches(void)
{
	return !IS_ENABLED(CONFIG_PREEMPTION);
}

int fastterm_arch_begin(struct pt_regs *regs, struct fastterm_frame *frame)
{
	frame->fp = regs->s0;
	frame->link = &regs->ra;
	if (IS_ENABLED(CONFIG_SHADOW_CALL_STACK))
		frame->shadow = (unsigned long *)regs->gp;
	frame->shadow_exact = true;
	if (!frame->high)
		frame->high = (unsigned long)this_cpu_read(irq_stack_ptr) + IRQ_STACK_SIZE;
	return 0;
}

int fastterm_arch_step(struct fastterm_frame *frame)
{
	unsigned long fp = frame->fp;
	int err;

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
	/*
	 * A traced function has not set up its frame yet, and ftrace does not make one. By offsets,
	 * since the structure has had two names.
	 */
	if (frame->ip == (unsigned long)ftrace_call + MCOUNT_INSN_SIZE && frame->sp &&
	    fastterm_on_stack(frame, frame->sp + FREGS_RA)) {
		frame->at = (unsigned long *)(frame->sp + FREGS_RA);
		frame->sp = *(unsigned long *)(frame->sp + FREGS_SP);
		return 0;
	}
#endif
	/* The caller of an interrupt's entry is an interrupted context: its registers follow. */
	if (frame->ip >= (unsigned long)__irqentry_text_start &&
	    frame->ip < (unsigned long)__irqentry_text_end)
		return -ENOENT;
	err = fastterm_by_record(frame, -(int)sizeof(struct stackframe));
	frame->sp = fp;
	return err;
}

/* Function graph identifies a frame by the address of ra in the registers that ftrace saves. */
void fastterm_arch_traced(const struct fastterm_frame *frame, unsigned long *graph,
			  unsigned long *hook)
{
	*graph = *hook = 0;
	if (!frame->sp)
		return;
	*hook = frame->fp;
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
	*graph = frame->sp - FREGS_SIZE_ON_STACK + FREGS_RA;
#endif
}
