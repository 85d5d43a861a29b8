/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running BPF programs in the thread of a KUnit test case, and what this requires
 */
#ifndef _BPF_FASTTERM_KUNIT_RUN_H
#define _BPF_FASTTERM_KUNIT_RUN_H

#include <linux/bpf.h>
#include <linux/types.h>

struct kunit;

/**
 * struct ftk_raw_tp_ctx - the context of a raw tracepoint
 * @args: as many arguments as a raw tracepoint can have
 */
struct ftk_raw_tp_ctx {
	u64 args[MAX_BPF_FUNC_ARGS];
};

u32 ftk_run(const struct bpf_prog *prog, const void *ctx);
void ftk_need_callbacks(struct kunit *test);
void ftk_need_exceptions(struct kunit *test);

#endif /* _BPF_FASTTERM_KUNIT_RUN_H */
