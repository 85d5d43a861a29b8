// SPDX-License-Identifier: GPL-2.0-only
/*
 * An iterator that a static function is given by its address: there next() is kept,
 * where it is made it is skipped.
 */
#include "more.h"

static __noinline u64 another(struct bpf_iter_num *it)
{
	return odd_next(bpf_iter_num_next, it);
}

SEC("raw_tp/sys_enter")
int pointer(void *ctx)
{
	struct bpf_iter_num it;

	if (!once())
		return 0;
	linger();
	bpf_iter_num_new(&it, 0, 1000);
	if (!bpf_iter_num_next(&it))
		out[0] = another(&it);		/* the verifier: 0 */
	bpf_iter_num_destroy(&it);
	out[3] = 1;
	return 0;
}
