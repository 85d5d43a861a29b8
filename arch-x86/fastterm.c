// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the backend for x86_64.
 */
#include <linux/fastterm_arch.h>

int fastterm_arch_init(void)
{
	return 0;
}
