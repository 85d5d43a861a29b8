// SPDX-License-Identifier: GPL-2.0-only
/* Prints all the time: whoever reads the kernel's own trace buffer to its end is never done. */
#include "h.h"
SEC("raw_tp/sys_enter") int prints(void *ctx)
{
	int i, j;

	if (!one_in(53))
		return 0;
	bpf_for(i, 0, MOST)
		bpf_for(j, 0, MOST)
			bpf_printk("turn %d", j);
	return 0;
}
