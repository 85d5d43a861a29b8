/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers and frame of a program that is stopped
 *
 *	struct ftk_regs was, now;
 *
 *	ftk_regs_read(&was, regs, 64);
 *	...
 *	ftk_regs_read(&now, regs, 64);
 *	what = ftk_regs_differ(&was, &now, BPF_REG_6);
 */
#ifndef _BPF_FASTTERM_KUNIT_REGS_H
#define _BPF_FASTTERM_KUNIT_REGS_H

#include <linux/filter.h>
#include <linux/types.h>

struct kunit;
struct pt_regs;

/* Number of bytes of a frame that are compared, from the frame pointer downwards. */
#define FTK_FRAME 64

/**
 * struct ftk_regs - registers and frame
 * @regs: R0 to R9 and the frame pointer
 * @size: how many bytes of the frame are in @frame, a multiple of 8
 * @frame: the words of the frame, the uppermost first
 */
struct ftk_regs {
	u64 regs[MAX_BPF_REG];
	u32 size;
	u64 frame[FTK_FRAME / sizeof(u64)];
};

/*
 * Offsets in struct pt_regs of the registers in which the architecture's JIT keeps those of BPF.
 * They are in regs-<arch>.c, where <arch> is the architecture's folder in arch/.
 */
extern const u16 ftk_bpf_regs[MAX_BPF_REG];

void ftk_regs_read(struct ftk_regs *r, struct pt_regs *regs, u32 size);
const char *ftk_regs_differ(const struct ftk_regs *was, const struct ftk_regs *now, u32 first);

#endif /* _BPF_FASTTERM_KUNIT_REGS_H */
