// SPDX-License-Identifier: GPL-2.0-only
/* Loops over iterators with more references held than anybody counts. */
#include "many.h"

static __noinline u64 loops(struct bpf_iter_num *it)
{
	int i, j;

	bpf_for(i, 0, MOST)
		bpf_for(j, 0, MOST)
			out[0]++;
	return 0;
}

HOLD_MANY(loops)

SEC("tp_btf/sys_enter")
int immune_many(void *ctx)
{
	if (!once())
		return 0;
	hold_many(NULL);
	out[1] = 1;
	return 0;
}
