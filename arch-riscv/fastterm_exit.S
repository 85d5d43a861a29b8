/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the base frame of a tagged activation returns to, and what a function of a
 * program is replaced by: see fastterm_arch.h.
 */
#include <linux/errno.h>
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

/*
 * The JIT moves what the kernel's functions return from a0 to a5, where a program has R0.
 * Behind a call of the program's own function it does not, since that has left it there.
 */
SYM_FUNC_START(fastterm_arch_canceled)
	li	a5, -ECANCELED
	mv	a0, a5
	ret
SYM_FUNC_END(fastterm_arch_canceled)
ASM_NOKPROBE(fastterm_arch_canceled)
