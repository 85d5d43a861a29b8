/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reverse error: global functions that are taken for static ones. What bounds
 * their loops is only that each is walked once, for all of its calls.
 */
#ifndef REVERSE_H
#define REVERSE_H

#include "more.h"

/* So many turns the verifier walks one by one. Three such loops take hours. */
#define TURNS 8000

const volatile int feature = 0;

#define DEAD(name) \
static __noinline u64 name(u64 x) { asm volatile("%0 += 1" : "+r"(x)); return x; }
#define GLOBAL(name, work)			\
__noinline u64 name(u64 x)			\
{						\
	u64 r = x;				\
	u32 i;					\
						\
	for (i = 0; i < TURNS; i++)		\
		work;				\
	return r;				\
}

DEAD(dead_one)
DEAD(dead_two)
DEAD(dead_three)
GLOBAL(inner, asm volatile("%0 += 1" : "+r"(r)))
GLOBAL(middle, r += inner(r))
GLOBAL(outer, r += middle(r))

static __always_inline u64 call_the_dead(u64 r)
{
	if (feature)
		r += dead_one(r) + dead_two(r) + dead_three(r);
	return r;
}

#endif
