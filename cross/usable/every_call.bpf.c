// SPDX-License-Identifier: GPL-2.0-only
/* Every system call of every process runs away. */
#include "runaway.h"

SEC("raw_tp/sys_enter")
int every_call(void *ctx)
{
	run_away();
	return 0;
}
