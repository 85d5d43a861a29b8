// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: stacks of arm64.
 */
#include <linux/fastterm_arch.h>
#include <linux/mm.h>
#include <linux/scs.h>
#include <linux/sizes.h>

#include <asm/compiler.h>
#include <asm/stacktrace.h>
#include <asm/traps.h>

/* fastterm_arch_kick() is in kernel/smp.c, with the IPIs. */

/* With some to spare: the JIT measures from the instruction, and this from the entry. */
bool fastterm_arch_is_far(const void *entry, const void *target)
{
	return abs(target - entry) >= SZ_128M - PAGE_SIZE;
}

/*
 * Functions return to the address on the shadow call stack. The position of the task's was
 * saved when the CPU switched to that of the interrupt stack.
 */
static void find_shadow(struct pt_regs *regs, struct fastterm_frame *frame)
{
#ifdef CONFIG_SHADOW_CALL_STACK
	unsigned long *top;

	asm volatile("mov %0, x18" : "=r" (top));
	frame->shadow_exact = on_task_stack(current, regs->sp, 1) && !on_thread_stack();
	if (frame->shadow_exact)
		top = task_scs_sp(current);
	frame->shadow = PAGE_ALIGNED(top) ? NULL : top - 1;
#endif
}

int fastterm_arch_begin(struct pt_regs *regs, struct fastterm_frame *frame)
{
	if (in_entry_text(regs->pc))
		return -ENOENT;
	frame->fp = regs->regs[29];
	frame->link = (unsigned long *)&regs->regs[30];
	find_shadow(regs, frame);
	if (!frame->high)
		frame->high = stackinfo_get_irq().high;
	return 0;
}

/* The caller of the entry code is an interrupted context: its registers follow. */
int fastterm_arch_step(struct fastterm_frame *frame)
{
	return in_entry_text(frame->ip) ? -ENOENT : fastterm_by_record(frame, 0);
}

void fastterm_arch_traced(const struct fastterm_frame *frame, unsigned long *graph,
			  unsigned long *hook)
{
	*graph = *hook = frame->fp;
}

#ifdef CONFIG_ARM64_PTR_AUTH_KERNEL
/* The same as paciasp, for any address and modifier: pacia1716. */
unsigned long fastterm_arch_sign(unsigned long ip, unsigned long sp)
{
	register unsigned long x17 asm("x17") = ip;
	register unsigned long x16 asm("x16") = sp;

	asm("hint #8" : "+r" (x17) : "r" (x16));
	return x17;
}

unsigned long fastterm_arch_strip(unsigned long ip)
{
	return ptrauth_strip_kernel_insn_pac(ip);
}
#endif
