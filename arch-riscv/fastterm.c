// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the backend for riscv64.
 *
 * Displacements count from the instruction itself. Addresses that are far are
 * formed by an auipc and the instruction behind it. The JIT uses compressed
 * instructions, but none that jumps within its image.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include <asm/insn.h>

#include "bpf_jit.h"

#define INSN_SIZE	4
#define PAIR_SIZE	(2 * INSN_SIZE)

int fastterm_arch_init(void)
{
	return 0;
}

/* The kind of a jump that leaves a return address in @rd. */
static int flow(u32 rd)
{
	switch (rd) {
	case RV_REG_RA:
		return FASTTERM_INSN_CALL;
	case RV_REG_ZERO:
		return FASTTERM_INSN_JUMP;
	default:
		return -EINVAL;
	}
}

static bool is_auipc_t1(u32 word)
{
	return riscv_insn_is_auipc(word) && RV_EXTRACT_RD_REG(word) == RV_REG_T1;
}

/* The half of a far jump that jumps: the JIT keeps t1 for it. */
static bool is_jalr_t1(u32 word)
{
	return riscv_insn_is_jalr(word) && RV_EXTRACT_RS1_REG(word) == RV_REG_T1;
}

/* addi @rd, @rd */
static bool is_addi(u32 word, u32 rd)
{
	return (word & GENMASK(19, 0)) == rv_addi(rd, rd, 0);
}

static long get_pair_offset(u32 auipc, u32 second)
{
	return (long)(s32)RV_EXTRACT_UTYPE_IMM(auipc) +
	       (s32)RV_EXTRACT_ITYPE_IMM(second);
}

/* The upper part of an offset whose lower one will be sign-extended. */
static u32 upper(long offset)
{
	return (offset + BIT(11)) >> 12;
}

static u32 lower(long offset)
{
	return offset & GENMASK(11, 0);
}

static long get_branch_offset(u32 word)
{
	return (s32)RV_EXTRACT_BTYPE_IMM(word);
}

static int decode_compressed(u16 word)
{
	if (riscv_insn_is_c_j(word) || riscv_insn_is_c_beqz(word) ||
	    riscv_insn_is_c_bnez(word))
		return -EINVAL;
	return FASTTERM_INSN_PLAIN;
}

static int decode_auipc(const u8 *at, u32 left, unsigned long ip,
			struct fastterm_insn *insn)
{
	u32 word = get_unaligned_le32(at), next;

	if (left < PAIR_SIZE)
		return -EINVAL;
	next = get_unaligned_le32(at + INSN_SIZE);
	/* A far jump, or what encoding has made of it. */
	if (is_auipc_t1(word) && (is_jalr_t1(next) || riscv_insn_is_jal(next)))
		return FASTTERM_INSN_PLAIN;
	if (!is_addi(next, RV_EXTRACT_RD_REG(word)))
		return -EINVAL;
	insn->split = true;
	insn->target = ip + get_pair_offset(word, next);
	return FASTTERM_INSN_DATA;
}

static int decode_jalr(const u8 *code, u32 off, unsigned long ip,
		       struct fastterm_insn *insn)
{
	u32 word = get_unaligned_le32(code + off), prev;

	if (off < INSN_SIZE || !is_jalr_t1(word))
		return FASTTERM_INSN_PLAIN;
	prev = get_unaligned_le32(code + off - INSN_SIZE);
	if (!is_auipc_t1(prev))
		return FASTTERM_INSN_PLAIN;
	insn->target = ip + off - INSN_SIZE + get_pair_offset(prev, word);
	return flow(RV_EXTRACT_RD_REG(word));
}

int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn)
{
	const u8 *at = code + off;
	u32 word, left = size - off;
	int kind = FASTTERM_INSN_PLAIN;

	if (left < sizeof(u16))
		return -EINVAL;
	word = get_unaligned_le16(at);
	insn->len = GET_INSN_LENGTH(word);
	insn->split = false;
	insn->target = 0;
	/* All of the lower five bits are ones in what is longer than 4 bytes. */
	if (left < insn->len || (word & GENMASK(4, 0)) == GENMASK(4, 0))
		return -EINVAL;
	if (insn->len != INSN_SIZE) {
		kind = decode_compressed(word);
	} else {
		word = get_unaligned_le32(at);
		switch (word & RV_INSN_OPCODE_MASK) {
		case RVG_OPCODE_JAL:
			kind = flow(RV_EXTRACT_RD_REG(word));
			insn->target = ip + off + riscv_insn_extract_jtype_imm(word);
			break;
		case RVG_OPCODE_BRANCH:
			kind = FASTTERM_INSN_BRANCH;
			insn->target = ip + off + get_branch_offset(word);
			break;
		case RVG_OPCODE_AUIPC:
			kind = decode_auipc(at, left, ip + off, insn);
			break;
		case RVG_OPCODE_JALR:
			kind = decode_jalr(code, off, ip, insn);
			break;
		}
	}
	if (kind < 0)
		return kind;
	insn->kind = kind;
	return insn->len;
}

/* Here and below: what does not fit into an instruction does not come back. */
static int put_jal(u8 *at, u8 rd, long offset)
{
	u32 word = rv_jal(rd, offset >> 1);

	if (riscv_insn_extract_jtype_imm(word) != offset)
		return -ERANGE;
	put_unaligned_le32(word, at);
	return 0;
}

static int put_branch(u8 *at, long offset)
{
	u32 word = get_unaligned_le32(at);

	if (!riscv_insn_is_branch(word))
		return -EINVAL;
	word &= ~rv_b_insn(0xfff, 0, 0, 0, 0);
	word |= rv_b_insn(offset >> 1, 0, 0, 0, 0);
	if (get_branch_offset(word) != offset)
		return -ERANGE;
	put_unaligned_le32(word, at);
	return 0;
}

static int put_pair(u8 *at, u32 auipc, u32 second, long offset)
{
	if (get_pair_offset(auipc, second) != offset)
		return -ERANGE;
	put_unaligned_le32(auipc, at);
	put_unaligned_le32(second, at + INSN_SIZE);
	return 0;
}

static int put_data(u8 *at, long offset)
{
	u32 word = get_unaligned_le32(at);
	u8 rd = RV_EXTRACT_RD_REG(word);

	if (!riscv_insn_is_auipc(word) ||
	    !is_addi(get_unaligned_le32(at + INSN_SIZE), rd))
		return -EINVAL;
	return put_pair(at, rv_auipc(rd, upper(offset)),
			rv_addi(rd, rd, lower(offset)), offset);
}

int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn)
{
	long offset = insn->target - (ip + off);

	if (insn->len != INSN_SIZE)
		return -EINVAL;
	if (insn->kind == FASTTERM_INSN_DATA)
		return put_data(code + off, offset);
	if (offset & 1)
		return -EINVAL;
	switch (insn->kind) {
	case FASTTERM_INSN_CALL:
		return put_jal(code + off, RV_REG_RA, offset);
	case FASTTERM_INSN_JUMP:
		return put_jal(code + off, RV_REG_ZERO, offset);
	case FASTTERM_INSN_BRANCH:
		return put_branch(code + off, offset);
	default:
		return -EINVAL;
	}
}

int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip,
			unsigned long target)
{
	long offset = target - (ip + off);
	int err = 0;

	if (code)
		err = put_pair(code + off, rv_auipc(RV_REG_T1, upper(offset)),
			       rv_jalr(RV_REG_ZERO, RV_REG_T1, lower(offset)),
			       offset);
	return err ?: PAIR_SIZE;
}

void fastterm_arch_fill(void *area, unsigned int size)
{
	memset(area, 0, size);
}
