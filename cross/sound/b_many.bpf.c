// SPDX-License-Identifier: GPL-2.0-only
/*
 * A next() in a function that could also be called with more references held than
 * anybody counts, and is not; and one in front of it that could not.
 */
#include "many.h"

volatile int never = 0;

static __noinline u64 another(struct bpf_iter_num *it)
{
	u64 w;

	/* Whatever is in the other registers is no reason to keep it. */
	asm volatile("r1 = %[it]; r2 = 0; r3 = 0; r4 = 0; r5 = 0;"
		     "call %[bpf_iter_num_next]; %[w] = r0;"
		     : [w]"=r"(w) : [it]"r"(it), __imm(bpf_iter_num_next) : __clobber_all);
	return w;
}

HOLD_MANY(another)

SEC("tp_btf/sys_enter")
int many(void *ctx)
{
	struct bpf_iter_num it;

	if (!once())
		return 0;
	bpf_iter_num_new(&it, 0, 1000);
	if (never)
		hold_many(&it);
	linger();
	if (!bpf_iter_num_next(&it))
		out[0] = another(&it);		/* the verifier: 0 */
	bpf_iter_num_destroy(&it);
	out[3] = 1;
	return 0;
}
