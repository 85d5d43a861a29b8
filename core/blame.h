/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The time that activations take, and which one is blamed for it.
 */
#ifndef _BPF_FASTTERM_BLAME_H
#define _BPF_FASTTERM_BLAME_H

#include <linux/types.h>

struct pt_regs;

u64 fastterm_count(struct pt_regs *regs, u64 ran, u64 share);

#endif /* _BPF_FASTTERM_BLAME_H */
