// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loops in global functions, behind dead static ones: a program that can run for
 * long only if they are global.
 */
#include "reverse.h"

SEC("raw_tp/sys_enter")
int reverse(void *ctx)
{
	if (!once())
		return 0;
	out[0] = outer(call_the_dead(1));
	out[1] = 1;
	return 0;
}
