// SPDX-License-Identifier: GPL-2.0-only
/* What a program that may sleep calls has a program on it that may not, which runs away: it has its own budget. */
#include "sound.h"
volatile bool inside;
SEC("fentry/bpf_get_numa_node_id")
int inner(void *ctx)
{
	if (!inside)
		return 0;
	linger();
	out[1]++;
	return 0;
}
SEC("syscall")
int outer(void *ctx)
{
	inside = true;
	bpf_get_numa_node_id();
	inside = false;
	/* Where this is skipped, its result is an error. */
	if ((s64)bpf_get_current_pid_tgid() < 0)
		out[2]++;
	out[0] = 1;
	return 0;
}
