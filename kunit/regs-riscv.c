// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of BPF on riscv64; see regs.h
 *
 * This is regmap[] of arch/riscv/net/bpf_jit_comp64.c.
 */

#include <linux/stddef.h>

#include <asm/ptrace.h>

#include "regs.h"

const u16 ftk_bpf_regs[MAX_BPF_REG] = {
	[BPF_REG_0] = offsetof(struct pt_regs, a5),
	[BPF_REG_1] = offsetof(struct pt_regs, a0),
	[BPF_REG_2] = offsetof(struct pt_regs, a1),
	[BPF_REG_3] = offsetof(struct pt_regs, a2),
	[BPF_REG_4] = offsetof(struct pt_regs, a3),
	[BPF_REG_5] = offsetof(struct pt_regs, a4),
	[BPF_REG_6] = offsetof(struct pt_regs, s1),
	[BPF_REG_7] = offsetof(struct pt_regs, s2),
	[BPF_REG_8] = offsetof(struct pt_regs, s3),
	[BPF_REG_9] = offsetof(struct pt_regs, s4),
	[BPF_REG_FP] = offsetof(struct pt_regs, s5),
};
