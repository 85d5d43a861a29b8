// SPDX-License-Identifier: GPL-2.0-only
/*
 * A global function that is to fill memory on the stack of who calls it: what is
 * there if it is skipped?
 */
#include "dirty.h"

VALUES(values);

struct pair {
	u64 a, b;
};

__noinline int fill(struct pair *pair)
{
	if (!pair)
		return -1;
	pair->a = 5;
	pair->b = 7;
	return 0;
}

/* What nobody has written to yet. */
static __noinline u64 fresh(void)
{
	struct pair pair;

	fill(&pair);
	out[0] = pair.a;
	out[1] = pair.b;
	return 0;
}

/* What had a pointer in it, of which the verifier knows. */
static __noinline u64 reused(struct value *v)
{
	struct pair pair = { (u64)v, (u64)v };

	fill(&pair);
	out[2] = pair.a;
	out[3] = pair.b;
	return 0;
}

SEC("raw_tp/sys_enter")
int fill_by_global(void *ctx)
{
	struct value *v;

	if (!once())
		return 0;
	v = element(&values, 0);
	if (!v)
		return 0;
	linger();
	dirty(v);
	fresh();
	reused(v);
	out[4] = 1;
	return 0;
}
