/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the base frame of a tagged activation returns to: see fastterm_arch.h.
 */
#include <linux/linkage.h>

#include <asm/asm.h>

/* The program has left its result in a5, and in a0 what an int can hold of it. */
SYM_CODE_START(fastterm_arch_exit)
	addi	sp, sp, -16
	REG_S	a5, 0(sp)
	addi	a0, sp, 16
	mv	a1, sp
	call	fastterm_exit
	mv	t1, a0
	REG_L	a5, 0(sp)
	sext.w	a0, a5
	addi	sp, sp, 16
	jr	t1
SYM_CODE_END(fastterm_arch_exit)
