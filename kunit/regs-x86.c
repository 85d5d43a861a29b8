// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of BPF on x86_64; see regs.h
 *
 * This is reg2hex[] of arch/x86/net/bpf_jit_comp.c.
 */

#include <linux/stddef.h>

#include <asm/ptrace.h>

#include "regs.h"

const u16 ftk_bpf_regs[MAX_BPF_REG] = {
	[BPF_REG_0] = offsetof(struct pt_regs, ax),
	[BPF_REG_1] = offsetof(struct pt_regs, di),
	[BPF_REG_2] = offsetof(struct pt_regs, si),
	[BPF_REG_3] = offsetof(struct pt_regs, dx),
	[BPF_REG_4] = offsetof(struct pt_regs, cx),
	[BPF_REG_5] = offsetof(struct pt_regs, r8),
	[BPF_REG_6] = offsetof(struct pt_regs, bx),
	[BPF_REG_7] = offsetof(struct pt_regs, r13),
	[BPF_REG_8] = offsetof(struct pt_regs, r14),
	[BPF_REG_9] = offsetof(struct pt_regs, r15),
	[BPF_REG_FP] = offsetof(struct pt_regs, bp),
};
