/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code that the base frame of a tagged activation returns to: see fastterm_arch.h.
 */
#include <linux/linkage.h>

#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

SYM_CODE_START(fastterm_arch_exit)
	UNWIND_HINT_UNDEFINED
	ANNOTATE_NOENDBR
	pushq	%rax			/* room for the return address */
	pushq	%rax			/* the result */
	leaq	16(%rsp), %rdi
	movq	%rsp, %rsi
	call	fastterm_exit
	movq	%rax, 8(%rsp)
	popq	%rax
	UNWIND_HINT_FUNC
	RET
SYM_CODE_END(fastterm_arch_exit)
