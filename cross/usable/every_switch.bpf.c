// SPDX-License-Identifier: GPL-2.0-only
/* Every switch of tasks runs away, on every CPU, with interrupts off. */
#include "runaway.h"

SEC("tp_btf/sched_switch")
int every_switch(void *ctx)
{
	run_away();
	return 0;
}
