// SPDX-License-Identifier: GPL-2.0-only
/* The result of a global function that is skipped, added to a pointer. */
#include "more.h"

VALUES(values);

__noinline long offset(long x) { asm volatile("" : "+r"(x)); return x * 8; }

SEC("raw_tp/sys_enter")
int offset_of_result(void *ctx)
{
	struct value *v;
	u64 r;

	if (!once())
		return 0;
	v = element(&values, 1);
	if (!v)
		return 0;
	out[3] = offset(3);
	linger();
	r = result_of(offset, 7, v) & 0xff8;
	out[0] = r;
	*(u64 *)((char *)v + r) = 0x4646464646464646ULL;	/* element 1 */
	return 0;
}

SEC("raw_tp/sys_exit")
int look(void *ctx)
{
	look_at(element(&values, 0));
	return 0;
}
