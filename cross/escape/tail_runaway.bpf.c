// SPDX-License-Identifier: GPL-2.0-only
/* Every system call enters a program that is short, and that tail-calls one that runs away. */
#include "h.h"

int runs_away(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(u32));
	__array(values, int (void *));
} jumps SEC(".maps") = { .values = { [1] = (void *)&runs_away } };

SEC("raw_tp/sys_enter") int dispatches(void *ctx)
{
	bpf_tail_call(ctx, &jumps, 1);
	return 0;
}

/* It is attached to nothing that happens: only the tail call enters it. */
SEC("raw_tp/cpuhp_enter") int runs_away(void *ctx) { run_away(); return 0; }
