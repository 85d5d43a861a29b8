// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loops in global functions, behind dead static ones, on the way out: were they
 * static, the way would not end.
 */
#include "reverse.h"

SEC("raw_tp/sys_enter")
int reverse_exit(void *ctx)
{
	u64 r;

	if (!once())
		return 0;
	r = call_the_dead(1);
	linger();
	out[0] = outer(r);
	out[1] = 1;
	return 0;
}
