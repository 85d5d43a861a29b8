// SPDX-License-Identifier: GPL-2.0-only
/*
 * Global functions that call each other: the inner one runs away, and the outer one
 * is called again on the way out.
 */
#include "more.h"

VALUES(values);

__noinline long inner(long x)
{
	linger();
	asm volatile("" : "+r"(x));
	return x + 40;
}

__noinline long outer(long x)
{
	return inner(x) + 1;
}

SEC("raw_tp/sys_enter")
int nested_r0(void *ctx)
{
	struct value *v;

	if (!once())
		return 0;
	v = element(&values, 0);
	if (!v)
		return 0;
	out[0] = outer(3);
	out[1] = result_of(outer, 7, v);
	out[2] = 1;
	return 0;
}
