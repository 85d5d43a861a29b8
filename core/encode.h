/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Encoding instructions, with a check of the target's reach.
 */
#ifndef _BPF_FASTTERM_ENCODE_H
#define _BPF_FASTTERM_ENCODE_H

#include <linux/types.h>

struct fastterm_insn;

int fastterm_encode(u8 *code, u32 off, u32 size, unsigned long ip,
		    const struct fastterm_insn *insn);
int fastterm_thunk(u8 *code, u32 off, u32 size, unsigned long ip, unsigned long target);

#endif /* _BPF_FASTTERM_ENCODE_H */
