// SPDX-License-Identifier: GPL-2.0-only
/* A global function that only dead code calls, in front of a static one. */
#include "more.h"

const volatile int feature = 0;
VALUES(values);

__noinline u64 dead(u64 x) { asm volatile("%0 += 1" : "+r"(x)); return x; }
static __noinline u64 index_of(u64 x) { asm volatile("%0 &= 7" : "+r"(x)); return x; }

SEC("raw_tp/sys_enter")
int dead_global(void *ctx)
{
	struct value *v;
	u64 r = 9, i;

	if (!once())
		return 0;
	v = element(&values, 1);
	if (!v)
		return 0;
	if (feature)
		r += dead(r);
	r += index_of(r);
	linger();
	i = index_of(r);		/* the verifier: 0..7 */
	out[0] = i;
	v->slot[i] = 0x4444444444444444ULL;
	return 0;
}

SEC("raw_tp/sys_exit")
int look(void *ctx)
{
	look_at(element(&values, 0));
	return 0;
}
