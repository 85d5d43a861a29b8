// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encoding with a check that is the same on all architectures: is the target within reach?
 *
 * An encoder truncates a displacement that does not fit. Decode the result and compare the
 * target.
 */
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "encode.h"

/* The longest instruction, together with the second one if it is split, or the longest thunk. */
#define MAX_SIZE 32u

/*
 * The target of the first instruction between @off and @end that refers to an address. An
 * encoder may have put instructions without effect in front of it. 0 if there is none.
 */
static unsigned long target_at(const u8 *code, u32 off, u32 end, u32 size, unsigned long ip)
{
	struct fastterm_insn insn;
	int len;

	for (; off < end; off += len) {
		len = fastterm_arch_decode(code, off, size, ip, &insn);
		if (len < 0)
			return 0;
		if (insn.kind != FASTTERM_INSN_PLAIN)
			return insn.target;
	}
	return 0;
}

/**
 * fastterm_encode() - fastterm_arch_encode(), for any target
 * @code: a copy of the image, which is changed
 * @off: offset of the instruction
 * @size: number of bytes at @code
 * @ip: the address at which @code[0] will run
 * @insn: as for fastterm_arch_encode()
 *
 * Context: any.
 * Return: 0; -ERANGE if the target is out of reach, -EINVAL as fastterm_arch_encode(): then
 * @code is unchanged.
 */
int fastterm_encode(u8 *code, u32 off, u32 size, unsigned long ip,
		    const struct fastterm_insn *insn)
{
	const u32 room = min(size - off, MAX_SIZE);
	u8 old[MAX_SIZE];
	int err;

	memcpy(old, code + off, room);
	err = fastterm_arch_encode(code, off, ip, insn);
	if (!err && target_at(code, off, off + insn->len, size, ip) != insn->target)
		err = -ERANGE;
	if (err)
		memcpy(code + off, old, room);
	return err;
}

/**
 * fastterm_thunk() - fastterm_arch_thunk(), for any target
 * @code: a copy of the image, which is changed
 * @off: where the thunk is written
 * @size: number of bytes at @code
 * @ip: the address at which @code[0] will run
 * @target: the target
 *
 * Context: any.
 * Return: its length; -ERANGE if it does not reach the target: then @code is unchanged.
 */
int fastterm_thunk(u8 *code, u32 off, u32 size, unsigned long ip, unsigned long target)
{
	const u32 room = min(size - off, MAX_SIZE);
	u8 old[MAX_SIZE];
	int len;

	memcpy(old, code + off, room);
	len = fastterm_arch_thunk(code, off, ip, target);
	if (len > 0 && target_at(code, off, off + len, size, ip) != target) {
		memcpy(code + off, old, room);
		len = -ERANGE;
	}
	return len;
}
