// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two iterators, one in the other: of each the first next() is skipped, and the
 * second one kept.
 */
#include "more.h"

SEC("raw_tp/sys_enter")
int nested(void *ctx)
{
	struct bpf_iter_num it, in;

	if (!once())
		return 0;
	linger();
	bpf_iter_num_new(&it, 0, 1000);
	if (!bpf_iter_num_next(&it)) {
		bpf_iter_num_new(&in, 5, 1000);
		if (!bpf_iter_num_next(&in)) {
			out[0] = odd_next(bpf_iter_num_next, &it);	/* the verifier: 0 */
			out[1] = odd_next(bpf_iter_num_next, &in);
		}
		bpf_iter_num_destroy(&in);
		out[2] = odd_next(bpf_iter_num_next, &it);
	}
	bpf_iter_num_destroy(&it);
	out[3] = 1;
	return 0;
}
