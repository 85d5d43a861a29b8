/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code that the base frame of a tagged activation returns to: see fastterm_arch.h.
 */
#include <linux/linkage.h>

#include <asm/assembler.h>

SYM_CODE_START(fastterm_arch_exit)
	stp	x0, xzr, [sp, #-16]!		// the result
	adr	x30, .				// a frame record, for unwinders
	stp	x29, x30, [sp, #-16]!
	mov	x29, sp
	add	x0, sp, #32
	add	x1, sp, #16
	bl	fastterm_exit
	mov	x30, x0
	ldr	x29, [sp], #16
	ldr	x0, [sp], #16
	ret
SYM_CODE_END(fastterm_arch_exit)
