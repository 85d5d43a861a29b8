/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: what the rest of the kernel may call.
 *
 * A program that the verifier accepted contains, on every path to its exit,
 * the code that releases what it holds. To stop a running program we redirect
 * it, from an interrupt, into a copy of its machine code in which everything
 * that can be skipped is skipped, and it leaves by its own exit.
 *
 * What an architecture provides for this is in <linux/fastterm_arch.h>.
 */
#ifndef _LINUX_FASTTERM_H
#define _LINUX_FASTTERM_H

#include <linux/types.h>

#ifdef CONFIG_BPF_FASTTERM

bool fastterm_supported(void);

#else

static inline bool fastterm_supported(void)
{
	return false;
}

#endif /* CONFIG_BPF_FASTTERM */

#endif /* _LINUX_FASTTERM_H */
