// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of BPF on arm64; see regs.h
 *
 * This is bpf2a64[] of arch/arm64/net/bpf_jit_comp.c.
 */

#include <linux/stddef.h>

#include <asm/ptrace.h>

#include "regs.h"

const u16 ftk_bpf_regs[MAX_BPF_REG] = {
	[BPF_REG_0] = offsetof(struct pt_regs, regs[7]),
	[BPF_REG_1] = offsetof(struct pt_regs, regs[0]),
	[BPF_REG_2] = offsetof(struct pt_regs, regs[1]),
	[BPF_REG_3] = offsetof(struct pt_regs, regs[2]),
	[BPF_REG_4] = offsetof(struct pt_regs, regs[3]),
	[BPF_REG_5] = offsetof(struct pt_regs, regs[4]),
	[BPF_REG_6] = offsetof(struct pt_regs, regs[19]),
	[BPF_REG_7] = offsetof(struct pt_regs, regs[20]),
	[BPF_REG_8] = offsetof(struct pt_regs, regs[21]),
	[BPF_REG_9] = offsetof(struct pt_regs, regs[22]),
	[BPF_REG_FP] = offsetof(struct pt_regs, regs[25]),
};
