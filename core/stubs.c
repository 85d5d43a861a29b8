// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a stub image calls in place of what it skips.
 *
 * A BPF call of a function of the kernel's passes its arguments and its result as the
 * kernel itself does, on every architecture whose JIT calls helpers directly. So a stub
 * is an ordinary function of the kernel, with a frame that everybody can unwind. It is
 * not traced: what is attached to it would run in the suffix. Programs' own functions
 * need not return as the kernel's do, so what replaces them is the architecture's.
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
 * The memory at one argument, of the size that is in the next, becomes zero:
 * the verifier takes it for written.
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
 * fastterm_arch_canceled() - what a skipped function of a program is replaced by
 *
 * It is called as that function would be, and returns as that would. Where the JIT's
 * code takes R0 from behind such a call decides what that means: often it is the same
 * place as behind a call of a function of the kernel's, and then nobody needs another
 * one than this. But a JIT may move the result of the kernel's functions alone to
 * where the program has R0, which its own functions have put theirs into already.
 *
 * It changes no register that a function of the program would preserve, and is neither
 * traced nor probed.
 *
 * Context: any.
 * Return: -ECANCELED, in all 64 bits of R0.
 */
noinline notrace __kprobes u64 __weak fastterm_arch_canceled(void)
{
	return -ECANCELED;
}

/**
 * fastterm_stub() - the function that a skipped call of the kernel's is replaced by
 * @value: what it shall return
 * @fill: fastterm_decision.fill; if bit 0 is set, the stub zeroes the memory of
 *	  one of the arguments that are named there and returns -ECANCELED
 *
 * Context: any.
 * Return: its address.
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
