// SPDX-License-Identifier: GPL-2.0-only
/* A probe of a function that every process calls again and again runs away. */
#include "runaway.h"

SEC("kprobe/hrtimer_nanosleep")
int hot_function(void *ctx)
{
	run_away();
	return 0;
}
