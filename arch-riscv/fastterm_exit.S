/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code that the base frame of a tagged activation returns to, and the stub of a
 * function of a program: see fastterm_arch.h.
 */
#include <linux/errno.h>
#include <linux/linkage.h>

#include <asm/asm.h>

/* The program's result is in a5; a0 has its lower 32 bits, sign-extended. */
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
 * Behind a call of a kernel function, the JIT moves the result from a0 to a5, which is R0.
 * Behind a call of a function of the program it does not: that function has put its result
 * into a5.
 */
SYM_FUNC_START(fastterm_arch_canceled)
	li	a5, -ECANCELED
	mv	a0, a5
	ret
SYM_FUNC_END(fastterm_arch_canceled)
ASM_NOKPROBE(fastterm_arch_canceled)
