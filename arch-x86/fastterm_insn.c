// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the instructions of x86_64, and the frames of
 * functions that the JIT makes of them.
 *
 * Displacements have 8 or 32 bits and are relative to the end of the instruction.
 */
#include <linux/cache.h>
#include <linux/fastterm_arch.h>
#include <linux/unaligned.h>

#include <asm/insn.h>
#include <asm/nops.h>
#include <asm/text-patching.h>

#define JCC32_INSN_SIZE	6

/*
 * The kind of a relative call or jump; -EINVAL for one that the JIT does not emit;
 * FASTTERM_INSN_PLAIN for all other instructions.
 */
static int flow(const struct insn *native)
{
	const u8 op = native->opcode.bytes[0], second = native->opcode.bytes[1];

	/* With these prefixes the opcodes have other meanings. */
	if (native->vex_prefix.nbytes || native->rex_prefix.nbytes == 2)
		return FASTTERM_INSN_PLAIN;
	if (op == CALL_INSN_OPCODE)
		return FASTTERM_INSN_CALL;
	if (op == JMP8_INSN_OPCODE || op == JMP32_INSN_OPCODE)
		return FASTTERM_INSN_JUMP;
	if ((op & 0xf0) == 0x70 || (op == 0x0f && (second & 0xf0) == 0x80))
		return FASTTERM_INSN_BRANCH;
	/* loop, jrcxz and xbegin */
	if ((op & 0xfc) == 0xe0 || (op == 0xc7 && native->modrm.bytes[0] == 0xf8))
		return -EINVAL;
	return FASTTERM_INSN_PLAIN;
}

int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn)
{
	struct insn native;
	int kind;

	if (insn_decode(&native, code + off, size - off, INSN_MODE_KERN))
		return -EINVAL;
	kind = flow(&native);
	if (kind < 0)
		return kind;

	*insn = (struct fastterm_insn){ .kind = kind, .len = native.length };
	if (kind != FASTTERM_INSN_PLAIN) {
		/* Prefixes may change the size of the displacement. */
		if (native.prefixes.nbytes || native.rex_prefix.nbytes)
			return -EINVAL;
		insn->target = ip + off + insn->len + native.immediate.value;
	} else if (insn_rip_relative(&native)) {
		if (native.addr_bytes != sizeof(ip))
			return -EINVAL;
		insn->kind = FASTTERM_INSN_DATA;
		insn->target = ip + off + insn->len + native.displacement.value;
	}
	return insn->len;
}

int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn)
{
	const long disp = insn->target - (ip + off + insn->len);
	u8 *at = code + off, *end = at + insn->len;
	struct insn native;

	switch (insn->kind) {
	case FASTTERM_INSN_CALL:
		if (insn->len != CALL_INSN_SIZE)
			return -EINVAL;
		at[0] = CALL_INSN_OPCODE;
		break;
	case FASTTERM_INSN_JUMP:
		/*
		 * A conditional jump is one byte longer than a jump: put a nop in front of
		 * the jump.
		 */
		if (insn->len == JCC32_INSN_SIZE)
			*at++ = BYTES_NOP1;
		else if (insn->len != JMP8_INSN_SIZE && insn->len != JMP32_INSN_SIZE)
			return -EINVAL;
		at[0] = insn->len == JMP8_INSN_SIZE ? JMP8_INSN_OPCODE : JMP32_INSN_OPCODE;
		break;
	case FASTTERM_INSN_BRANCH:
		if (insn_decode(&native, at, insn->len, INSN_MODE_KERN) ||
		    flow(&native) != FASTTERM_INSN_BRANCH)
			return -EINVAL;
		break;
	case FASTTERM_INSN_DATA:
		if (insn_decode(&native, at, insn->len, INSN_MODE_KERN) ||
		    native.length != insn->len || !insn_rip_relative(&native))
			return -EINVAL;
		put_unaligned_le32(disp, at + insn_offset_displacement(&native));
		return 0;
	default:
		return -EINVAL;
	}
	if (insn->len == JMP8_INSN_SIZE)
		end[-1] = disp;
	else
		put_unaligned_le32(disp, end - sizeof(s32));
	return 0;
}

int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip, unsigned long target)
{
	if (code) {
		code[off] = JMP32_INSN_OPCODE;
		put_unaligned_le32(target - (ip + off + JMP32_INSN_SIZE), code + off + 1);
	}
	return JMP32_INSN_SIZE;
}

static const struct fastterm_rule
	no_frame = { .cfa = 8, .ra = 8 },
	saved = { .cfa = 16, .ra = 8, .fp = 16 },
	body = { .cfa = 16, .ra = 8, .fp = 16, .flags = FASTTERM_RULE_FP },
	not_ours = { .flags = FASTTERM_RULE_NONE };

static struct fastterm_rule *add(struct fastterm_rule *rule, const struct fastterm_rule *what,
				 u32 off)
{
	*rule = *what;
	rule->off = off;
	return rule + 1;
}

/*
 * The JIT begins a function like this; parts in brackets are optional:
 *
 *	[endbr64 | with FineIBT, nopw]; nopl (5 bytes); [xor %rax, %rax | nopl (3 bytes)]
 *	push %rbp; mov %rsp, %rbp
 *
 * An exception callback takes over the frame of its program. It has this in place of the
 * last line:
 *
 *	mov %rsi, %rsp; mov %rdx, %rbp
 */
static struct fastterm_rule *add_prologue(const u8 *code, u32 size, struct fastterm_rule *rule)
{
	u32 off = 0;

	if (!fastterm_match(code, size, &off, "\xf3\x0f\x1e\xfa"))
		fastterm_match(code, size, &off, "\x66\x0f\x1f\0");
	if (!fastterm_match(code, size, &off, "\x0f\x1f\x44\0\0"))
		return NULL;
	if (!fastterm_match(code, size, &off, "\x48\x31\xc0"))
		fastterm_match(code, size, &off, "\x0f\x1f\0");
	if (fastterm_match(code, size, &off, "\x48\x89\xf4\x48\x89\xd5"))
		return add(add(rule, &not_ours, 0), &body, off);
	if (!fastterm_match(code, size, &off, "\x55\x48\x89\xe5"))
		return NULL;
	return add(add(add(rule, &no_frame, 0), &saved, off - 3), &body, off);
}

/*
 * The first exit is "leave; ret", or has a jump to a thunk in place of ret; other exits
 * jump to it.
 */
int fastterm_arch_rules(const u8 *code, u32 size, const struct fastterm_range *ranges, u32 nr,
			struct fastterm_rule *rules)
{
	struct fastterm_rule *rule = add_prologue(code, size, rules);
	struct insn insn;
	bool left;
	u32 off;

	for (; rule && nr--; ranges++) {
		left = false;
		for (off = ranges->start; off < ranges->end; off += insn.length) {
			if (insn_decode(&insn, code + off, size - off, INSN_MODE_KERN))
				return -EINVAL;
			if (insn.opcode.bytes[0] == 0xc9) {	/* leave */
				rule = add(rule, &no_frame, off + 1);
				left = true;
			}
			/* pop %rbp; with a prefix it is %r13 */
			if ((insn.opcode.bytes[0] == 0x5d && !insn.rex_prefix.nbytes) ||
			    (insn.opcode.bytes[0] == RET_INSN_OPCODE && !left))
				return -EINVAL;
		}
		if (left && ranges->end < size)
			rule = add(rule, &body, ranges->end);
	}
	return rule ? rule - rules : -EINVAL;
}
