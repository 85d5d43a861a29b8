// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loops over iterators that a static function advances by their address, with a
 * next() that is kept.
 */
#include "more.h"

static __noinline u64 another(struct bpf_iter_num *it)
{
	return odd_next(bpf_iter_num_next, it);
}

SEC("raw_tp/sys_enter")
int immune_pointer(void *ctx)
{
	struct bpf_iter_num it, in;

	if (!once())
		return 0;
	bpf_iter_num_new(&it, 0, MOST);
	bpf_iter_num_next(&it);
	while (another(&it)) {
		bpf_iter_num_new(&in, 0, MOST);
		while (another(&in))
			out[0]++;
		bpf_iter_num_destroy(&in);
	}
	bpf_iter_num_destroy(&it);
	out[1] = 1;
	return 0;
}
