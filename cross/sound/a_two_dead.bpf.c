// SPDX-License-Identifier: GPL-2.0-only
/* Two static functions that only dead code calls, each in front of a global one. */
#include "more.h"

const volatile int feature = 0;
VALUES(values);

static __noinline u64 dead_one(u64 x) { asm volatile("%0 += 1" : "+r"(x)); return x; }
__noinline u64 global_one(u64 x) { asm volatile("%0 += 2" : "+r"(x)); return x; }
static __noinline u64 dead_two(u64 x) { asm volatile("%0 += 3" : "+r"(x)); return x; }
__noinline u64 global_two(u64 x) { asm volatile("%0 += 4" : "+r"(x)); return x; }
static __noinline u64 seven(u64 x) { asm volatile("%0 |= 7" : "+r"(x)); return x; }
static __noinline u64 index_of(u64 x) { asm volatile("%0 &= 7" : "+r"(x)); return x; }

SEC("raw_tp/sys_enter")
int two_dead(void *ctx)
{
	struct value *v;
	u64 r = 0, i;

	if (!once())
		return 0;
	v = element(&values, 1);
	if (!v)
		return 0;
	if (feature)
		r += dead_one(r);
	r += global_one(r);
	if (feature)
		r += dead_two(r);
	r += global_two(r);
	r += seven(r);
	r += index_of(r);
	linger();
	i = index_of(r);		/* the verifier: 0..7 */
	out[0] = i;
	v->slot[i] = 0x4343434343434343ULL;
	return 0;
}

SEC("raw_tp/sys_exit")
int look(void *ctx)
{
	look_at(element(&values, 0));
	return 0;
}
