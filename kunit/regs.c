// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers and frame of an interrupted program; see regs.h
 */

#include <linux/array_size.h>
#include <linux/minmax.h>
#include <linux/ptrace.h>
#include <linux/thread_info.h>

#include "regs.h"

/**
 * ftk_regs_read() - read registers and frame of an interrupted program
 * @r: receives registers and frame
 * @regs: the interrupted registers
 * @size: bytes of the frame, of which FTK_FRAME at most are read. Nothing is read unless the
 *	  stack pointer is below them, since interrupts overwrite what is below the stack
 *	  pointer.
 *
 * Context: the one that has interrupted @regs, which may be any.
 */
void ftk_regs_read(struct ftk_regs *r, struct pt_regs *regs, u32 size)
{
	const unsigned long *top, sp = kernel_stack_pointer(regs);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(r->regs); i++)
		r->regs[i] = regs_get_register(regs, ftk_bpf_regs[i]);
	top = (unsigned long *)(unsigned long)r->regs[BPF_REG_FP];
	r->size = round_down(min(size, FTK_FRAME), sizeof(u64));
	if ((unsigned long)top - r->size < sp || (unsigned long)top - sp >= THREAD_SIZE)
		r->size = 0;
	for (i = 0; i < r->size / sizeof(u64); i++)
		r->frame[i] = READ_ONCE_NOCHECK(top[-1 - (int)i]);
}

/**
 * ftk_regs_differ() - compare registers and frame
 * @was: registers and frame before
 * @now: registers and frame now
 * @first: the first register that is compared; all up to the frame pointer are
 *
 * Context: any.
 * Return: the name of the first difference, or NULL.
 */
const char *ftk_regs_differ(const struct ftk_regs *was, const struct ftk_regs *now, u32 first)
{
	static const char * const names[MAX_BPF_REG] = {
		"R0", "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "FP",
	};
	u32 i;

	for (i = first; i < MAX_BPF_REG; i++)
		if (was->regs[i] != now->regs[i])
			return names[i];
	if (was->size != now->size)
		return "size of the frame";
	for (i = 0; i < was->size / sizeof(u64); i++)
		if (was->frame[i] != now->frame[i])
			return "frame";
	return NULL;
}
