// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running BPF programs in the thread of a KUnit test case; see run.h
 */

#include <linux/cfi.h>
#include <linux/filter.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_trace.h>

#include <kunit/test.h>

#include "run.h"

/**
 * ftk_run() - run a program once, on this CPU
 * @prog: the program
 * @ctx: its context, of the kind that its type has; an array of u64 for a raw tracepoint
 *
 * The program runs under the locks that the hooks of its type hold: one flavour of RCU for
 * sleepable programs and another one for all others.
 *
 * Context: any thread; may sleep if the program may.
 * Return: what the program returns.
 */
u32 ftk_run(const struct bpf_prog *prog, const void *ctx)
{
	u32 ret;

	migrate_disable();
	if (prog->sleepable) {
		rcu_read_lock_trace();
		ret = bpf_prog_run(prog, ctx);
		rcu_read_unlock_trace();
	} else {
		rcu_read_lock();
		ret = bpf_prog_run(prog, ctx);
		rcu_read_unlock();
	}
	migrate_enable();
	return ret;
}

/**
 * ftk_need_callbacks() - skip a case if the kernel cannot call a program's callback
 * @test: the test case
 *
 * With kCFI, an indirect call checks a hash in front of the function. If the JIT writes none,
 * the first call of a callback by a helper is an oops, with or without fastterm.
 */
void ftk_need_callbacks(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_CFI_CLANG) && !cfi_get_offset())
		kunit_skip(test, "no kCFI in this JIT: the kernel cannot call callbacks");
}

static bool first_sp(void *sp, u64 ip, u64 frame_sp, u64 bp)
{
	*(u64 *)sp = frame_sp;
	return false;
}

/**
 * ftk_need_exceptions() - skip a case if a program cannot throw
 * @test: the test case
 *
 * The kernel calls the exception callback in the same way as other callbacks. Besides, KASAN has
 * to be told which part of the stack has been left, and bpf_throw() can do so only if the
 * architecture's stack walk reports where frames are. Otherwise, marks that remain on the stack
 * are taken for a bug of the next function that uses this part of it.
 *
 * Context: the thread of the test case.
 */
void ftk_need_exceptions(struct kunit *test)
{
	u64 sp = 0;

	if (!bpf_jit_supports_exceptions())
		kunit_skip(test, "no exceptions in this architecture's JIT");
	ftk_need_callbacks(test);
	arch_bpf_stack_walk(first_sp, &sp);
	if (IS_ENABLED(CONFIG_KASAN) && !sp)
		kunit_skip(test, "bpf_throw() cannot tell KASAN which frames it leaves");
}
