// SPDX-License-Identifier: GPL-2.0-only
/* Two bpf_iter_bits_next() of one iterator: one is skipped, the other one is kept. */
#include "more.h"

VALUES(values);
u64 all_bits = ~0ULL;

struct bpf_iter_bits;
int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *words, u32 nr) __ksym;
int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;

SEC("raw_tp/sys_enter")
int bits(void *ctx)
{
	struct bpf_iter_bits it;
	struct value *v;
	u64 w;

	if (!once())
		return 0;
	v = element(&values, 0);
	if (!v)
		return 0;
	linger();
	bpf_iter_bits_new(&it, &all_bits, 1);
	if (!bpf_iter_bits_next(&it)) {
		w = odd_next(bpf_iter_bits_next, &it);	/* the verifier: drained, so 0 */
		out[0] = w;
		asm volatile("%[w] >>= 63; %[w] *= 4096; %[v] += %[w]"
			     : [v]"+r"(v), [w]"+r"(w));
		v->slot[0] = 0x4545454545454545ULL;	/* the verifier: element 0 */
	}
	bpf_iter_bits_destroy(&it);
	return 0;
}

SEC("raw_tp/sys_exit")
int look(void *ctx)
{
	look_at(element(&values, 1));
	return 0;
}
