// SPDX-License-Identifier: GPL-2.0-only
/*
 * A global function that fills memory of its caller's, which is initialised on that path
 * alone that the verifier explores behind the branch.
 */
#include "dirty.h"

VALUES(values);
u32 zero;

__noinline int fill(u64 *to)
{
	if (!to)
		return -1;
	*to = 5;
	return 0;
}

/* So many jumps and instructions that the verifier keeps its state where they meet. */
static __noinline u64 on_one_path(void)
{
	u64 r;

	asm volatile("r1 = %[zero] ll;"
		     "r0 = *(u32 *)(r1 + 0);"
		     "if r0 == 0 goto 1f;"
		     "*(u16 *)(r10 - 8) = r0;"
		     "*(u16 *)(r10 - 6) = r0;"
		     "*(u16 *)(r10 - 4) = r0;"
		     "*(u16 *)(r10 - 2) = r0;"
		     "if r0 == 7 goto 1f;"
		     "if r0 == 8 goto 1f;"
		     "if r0 == 9 goto 1f;"
		     "if r0 == 10 goto 1f;"
		     "r1 = 0; r1 = 0; r1 = 0; r1 = 0;"
		     "r1 = 0; r1 = 0; r1 = 0; r1 = 0;"
		     "1: r1 = r10;"
		     "r1 += -8;"
		     "call %[fill];"
		     "%[r] = *(u64 *)(r10 - 8);"
		     : [r]"=r"(r) : [zero]"i"(&zero), [fill]"i"(fill) : __clobber_all);
	return r;
}

SEC("raw_tp/sys_enter")
int fill_on_one_path(void *ctx)
{
	struct value *v;

	if (!once())
		return 0;
	v = element(&values, 0);
	if (!v)
		return 0;
	linger();
	dirty(v);
	out[0] = on_one_path();
	out[1] = 1;
	return 0;
}
