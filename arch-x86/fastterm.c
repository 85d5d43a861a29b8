// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the backend for x86_64.
 *
 * Displacements have 8 or 32 bits and count from the end of the instruction.
 */
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include <asm/insn.h>
#include <asm/nops.h>
#include <asm/text-patching.h>

#define JCC32_INSN_SIZE	6

int fastterm_arch_init(void)
{
	return 0;
}

/*
 * The kind of a relative call or jump, or -EINVAL for one that the JIT does not
 * emit; FASTTERM_INSN_PLAIN for what is neither.
 */
static int flow(const struct insn *native)
{
	const u8 *opcode = native->opcode.bytes;

	/* These give the opcodes other meanings. */
	if (native->vex_prefix.nbytes || native->rex_prefix.nbytes == 2)
		return FASTTERM_INSN_PLAIN;

	switch (opcode[0]) {
	case CALL_INSN_OPCODE:
		return FASTTERM_INSN_CALL;
	case JMP8_INSN_OPCODE:
	case JMP32_INSN_OPCODE:
		return FASTTERM_INSN_JUMP;
	case 0x70 ... 0x7f:				/* jcc rel8 */
		return FASTTERM_INSN_BRANCH;
	case 0x0f:
		if ((opcode[1] & 0xf0) == 0x80)		/* jcc rel32 */
			return FASTTERM_INSN_BRANCH;
		return FASTTERM_INSN_PLAIN;
	case 0xe0 ... 0xe3:				/* loop, jrcxz */
		return -EINVAL;
	case 0xc7:
		if (native->modrm.bytes[0] == 0xf8)	/* xbegin */
			return -EINVAL;
		return FASTTERM_INSN_PLAIN;
	default:
		return FASTTERM_INSN_PLAIN;
	}
}

int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn)
{
	struct insn native;
	unsigned long next;
	int kind;

	if (insn_decode(&native, code + off, size - off, INSN_MODE_KERN))
		return -EINVAL;
	kind = flow(&native);
	if (kind < 0)
		return kind;

	next = ip + off + native.length;
	insn->len = native.length;
	insn->split = false;
	insn->target = 0;
	if (kind != FASTTERM_INSN_PLAIN) {
		/* They may change the size of the displacement. */
		if (native.prefixes.nbytes || native.rex_prefix.nbytes)
			return -EINVAL;
		insn->target = next + native.immediate.value;
	} else if (insn_rip_relative(&native)) {
		if (native.addr_bytes != sizeof(next))
			return -EINVAL;
		kind = FASTTERM_INSN_DATA;
		insn->target = next + native.displacement.value;
	}
	insn->kind = kind;
	return insn->len;
}

static int put_rel8(u8 *at, long disp)
{
	if (disp != (s8)disp)
		return -ERANGE;
	*at = disp;
	return 0;
}

static int put_rel32(u8 *at, long disp)
{
	if (disp != (s32)disp)
		return -ERANGE;
	put_unaligned_le32(disp, at);
	return 0;
}

static int put_call(u8 *at, u8 len, long disp)
{
	int err;

	if (len != CALL_INSN_SIZE)
		return -EINVAL;
	err = put_rel32(at + 1, disp);
	if (!err)
		at[0] = CALL_INSN_OPCODE;
	return err;
}

static int put_jump(u8 *at, u8 len, long disp)
{
	int err;

	switch (len) {
	case JMP8_INSN_SIZE:
		err = put_rel8(at + 1, disp);
		if (!err)
			at[0] = JMP8_INSN_OPCODE;
		return err;
	case JMP32_INSN_SIZE:
		err = put_rel32(at + 1, disp);
		if (!err)
			at[0] = JMP32_INSN_OPCODE;
		return err;
	case JCC32_INSN_SIZE:
		/* One byte longer than the jump, and ends where it ends. */
		err = put_rel32(at + 2, disp);
		if (!err) {
			at[0] = BYTES_NOP1;
			at[1] = JMP32_INSN_OPCODE;
		}
		return err;
	default:
		return -EINVAL;
	}
}

static int put_branch(u8 *at, u8 len, long disp)
{
	if (len == JMP8_INSN_SIZE && (at[0] & 0xf0) == 0x70)
		return put_rel8(at + 1, disp);
	if (len == JCC32_INSN_SIZE && at[0] == 0x0f && (at[1] & 0xf0) == 0x80)
		return put_rel32(at + 2, disp);
	return -EINVAL;
}

static int put_data(u8 *at, u8 len, long disp)
{
	struct insn native;

	if (insn_decode(&native, at, len, INSN_MODE_KERN) ||
	    native.length != len || !insn_rip_relative(&native))
		return -EINVAL;
	return put_rel32(at + insn_offset_displacement(&native), disp);
}

int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn)
{
	long disp = insn->target - (ip + off + insn->len);

	switch (insn->kind) {
	case FASTTERM_INSN_CALL:
		return put_call(code + off, insn->len, disp);
	case FASTTERM_INSN_JUMP:
		return put_jump(code + off, insn->len, disp);
	case FASTTERM_INSN_BRANCH:
		return put_branch(code + off, insn->len, disp);
	case FASTTERM_INSN_DATA:
		return put_data(code + off, insn->len, disp);
	default:
		return -EINVAL;
	}
}

int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip,
			unsigned long target)
{
	const u8 len = JMP32_INSN_SIZE;
	int err = 0;

	if (code)
		err = put_jump(code + off, len, target - (ip + off + len));
	return err ?: len;
}

void fastterm_arch_fill(void *area, unsigned int size)
{
	memset(area, INT3_INSN_OPCODE, size);
}
