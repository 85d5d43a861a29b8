// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stubs: the functions that a stub image calls in place of the calls that it skips.
 *
 * A BPF call of a kernel function passes arguments and result as the kernel itself does, on
 * every architecture whose JIT calls helpers directly. So a stub is an ordinary kernel
 * function, with a frame that every unwinder can handle. It is not traced: a program that
 * is attached to it would run in the suffix. Functions of programs need not return their
 * result as kernel functions do, so the stub that replaces them may be the architecture's.
 */
#include <linux/array_size.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/kprobes.h>
#include <linux/string.h>

#include "decision.h"

static noinline notrace __kprobes u64 stub_zero(void)
{
	return 0;
}

static noinline notrace __kprobes u64 stub_one(void)
{
	return 1;
}

static noinline notrace __kprobes u64 stub_eperm(void)
{
	return -EPERM;
}

static noinline notrace __kprobes u64 stub_ecanceled(void)
{
	return -ECANCELED;
}

/*
 * Zero the memory at one argument, whose size is in the next argument: the verifier takes
 * this memory for written.
 */
static __always_inline u64 zeroed(u64 ptr, u64 size)
{
	memset((void *)(unsigned long)ptr, 0, size);
	return -ECANCELED;
}

static noinline notrace __kprobes u64 stub_fill_1(u64 r1, u64 r2)
{
	return zeroed(r1, r2);
}

static noinline notrace __kprobes u64 stub_fill_2(u64 r1, u64 r2, u64 r3)
{
	return zeroed(r2, r3);
}

static noinline notrace __kprobes u64 stub_fill_3(u64 r1, u64 r2, u64 r3, u64 r4)
{
	return zeroed(r3, r4);
}

static noinline notrace __kprobes u64 stub_fill_4(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	return zeroed(r4, r5);
}

/**
 * fastterm_arch_canceled() - called in place of a function of a program that is skipped
 *
 * This is called, and returns, like a function of a program. An architecture needs its own
 * version only if its JIT takes R0 from different registers behind calls of kernel
 * functions and behind calls of the program's functions: a JIT may move the result of
 * kernel functions to the register of R0, into which functions of the program have put
 * their result already.
 *
 * The function changes no register that a function of the program would preserve, and is
 * neither traced nor probed.
 *
 * Context: any.
 * Return: -ECANCELED, in all 64 bits of R0.
 */
noinline notrace __kprobes u64 __weak fastterm_arch_canceled(void)
{
	return -ECANCELED;
}

/**
 * fastterm_stub() - get the stub for a skipped call of a kernel function
 * @value: the value that it returns
 * @fill: fastterm_decision.fill; if bit 0 is set, the stub zeroes the memory of one of the
 *	  arguments that have their bits set, and returns -ECANCELED
 *
 * Context: any.
 * Return: the stub's address.
 */
void *fastterm_stub(enum fastterm_value value, u8 fill)
{
	static void *const fills[] = {
		stub_fill_1, stub_fill_2, stub_fill_3, stub_fill_4,
	};
	static void *const stubs[] = {
		[FASTTERM_NULL] = stub_zero,
		[FASTTERM_ECANCELED] = stub_ecanceled,
		[FASTTERM_EPERM] = stub_eperm,
		[FASTTERM_ZERO] = stub_zero,
		[FASTTERM_ONE] = stub_one,
	};

	static_assert(ARRAY_SIZE(stubs) == FASTTERM_VALUES);

	if (fill & 1)
		return fills[__ffs(fill & ~1) - 1];
	return stubs[value];
}
