// SPDX-License-Identifier: GPL-2.0-only
/*
 * A global function that a callback calls: it runs away and returns there, then it
 * is called once more.
 */
#include "more.h"

VALUES(values);

__noinline long called(long x)
{
	linger();
	asm volatile("" : "+r"(x));
	return x + 40;
}

static long callback(u32 i, void *unused)
{
	struct value *v = element(&values, 0);

	if (!v)
		return 1;
	out[3]++;
	out[0] = called(i);
	out[1] = result_of(called, 7, v);
	return 0;
}

SEC("raw_tp/sys_enter")
int callback_r0(void *ctx)
{
	if (!once())
		return 0;
	bpf_loop(1000, callback, NULL, 0);
	out[2] = 1;
	return 0;
}
