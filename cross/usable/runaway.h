/* SPDX-License-Identifier: GPL-2.0-only */
/* A program that would run for years. */
#ifndef RUNAWAY_H
#define RUNAWAY_H

#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

/* The most iterations of a loop that the kernel allows. */
#define MOST (1 << 23)

char LICENSE[] SEC("license") = "GPL";

static __u64 turns;

static long nothing(__u32 i, void *ctx)
{
	turns++;
	return 0;
}

static long again(__u32 i, void *ctx)
{
	bpf_loop(MOST, nothing, ctx, 0);
	return 0;
}

static __always_inline void run_away(void)
{
	bpf_loop(MOST, again, NULL, 0);
}

#endif
