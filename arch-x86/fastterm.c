// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the backend for x86_64.
 *
 * Displacements have 8 or 32 bits and count from the end of the instruction.
 */
#include <linux/align.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/ftrace.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include <asm/apic.h>
#include <asm/insn.h>
#include <asm/irq_regs.h>
#include <asm/nmi.h>
#include <asm/nops.h>
#include <asm/sections.h>
#include <asm/stacktrace.h>
#include <asm/text-patching.h>
#include <asm/unwind.h>

#define JCC32_INSN_SIZE	6

/* More than any function of a program needs before it has its frame. */
#define PROLOGUE_SIZE	32

/* One for each register. */
#define NR_THUNKS	16

/* More than return_to_handler() has. */
#define HANDLER_SIZE	128

static DEFINE_PER_CPU(bool, nmi_sent);

static void kicked_by_ipi(void)
{
	fastterm_kicked(get_irq_regs());
}

/* If interrupts are on, the IPI does it: nothing is easier than to return from that. */
static int kicked_by_nmi(unsigned int cmd, struct pt_regs *regs)
{
	if (!this_cpu_xchg(nmi_sent, false))
		return NMI_DONE;
	if (!(regs->flags & X86_EFLAGS_IF))
		fastterm_kicked(regs);
	return NMI_HANDLED;
}

/* The platform's IPI is free on every machine but one, which is left alone. */
int fastterm_arch_init(void)
{
	if (x86_platform_ipi_callback)
		return -EOPNOTSUPP;
	x86_platform_ipi_callback = kicked_by_ipi;
	return register_nmi_handler(NMI_LOCAL, kicked_by_nmi, 0, "bpf_fastterm");
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

int fastterm_arch_kick(int cpu, bool insist)
{
	/* An NMI may come between the two writes by which an IPI is sent. */
	bool between = in_nmi() && !x2apic_mode;
	u32 icr2 = between ? apic_read(APIC_ICR2) : 0;
	unsigned long flags;

	if (!cpu_online(cpu))
		return 0;
	local_irq_save(flags);
	__apic_send_IPI(cpu, X86_PLATFORM_IPI_VECTOR);
	/* As many as are handled, or somebody will wonder where they come from. */
	if (insist && !xchg(per_cpu_ptr(&nmi_sent, cpu), true))
		__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	if (between) {
		apic_wait_icr_idle();
		apic_write(APIC_ICR2, icr2);
	}
	local_irq_restore(flags);
	return 0;
}

/*
 * Where a program's function keeps its return address: on top of the stack as long
 * as it has no frame, and in thunks; behind the caller's frame pointer otherwise. One
 * that has been @interrupted may be anywhere; another one has called, if only from its
 * prologue, and may end with that.
 */
static unsigned long *return_slot(const struct fastterm_text *text, bool interrupted,
				  unsigned long *sp, unsigned long *bp)
{
	static const u8 enter[] = { 0x55, 0x48, 0x89, 0xe5 };	/* push rbp; mov rbp, rsp */
	const u8 *at = text->code + text->off, *end = text->code + PROLOGUE_SIZE, *p;
	unsigned long next;

	if (text->off >= text->size)
		return interrupted ? sp : bp + 1;
	for (p = text->code; text->off < PROLOGUE_SIZE && p < end; p++)
		if (!memcmp(p, enter, sizeof(enter)) && at <= p + 1)
			return at == p + 1 ? sp + 1 : sp;
	/* Behind leave: the ret, or the jump to its thunk. */
	next = (long)at + JMP32_INSN_SIZE;
	if (interrupted && at[-1] == 0xc9 &&
	    (at[0] == RET_INSN_OPCODE ||
	     (at[0] == JMP32_INSN_OPCODE &&
	      core_kernel_text(next + (s32)get_unaligned_le32(at + 1)))))
		return sp;
	return bp + 1;
}

/* Not in all kernels of a series: these thunks came with its updates. */
static bool in_its_thunk(unsigned long ip)
{
#ifdef CONFIG_MITIGATION_ITS
	return ip - (unsigned long)__x86_indirect_its_thunk_array < NR_THUNKS * ITS_THUNK_SIZE;
#else
	return false;
#endif
}

static bool in_array(unsigned long ip, const retpoline_thunk_t *thunks)
{
	return ip - (unsigned long)thunks < NR_THUNKS * RETPOLINE_THUNK_SIZE;
}

/* Those that call do it once, over an int3, to put their target in the place of the return. */
static bool has_called(unsigned long ip)
{
	static const u8 call[] = { CALL_INSN_OPCODE, INT3_INSN_SIZE, 0, 0, 0 };
	const u8 *p = (u8 *)ALIGN_DOWN(ip, RETPOLINE_THUNK_SIZE);

	for (; p + sizeof(call) <= (u8 *)ip; p++)
		if (!memcmp(p, call, sizeof(call)))
			return true;
	return false;
}

/* ORC knows nothing of the thunks of indirect calls: jumps, or a call and a return. */
static unsigned long *thunk_slot(const struct pt_regs *regs)
{
	const unsigned long ip = regs->ip;
	unsigned long *sp = (unsigned long *)regs->sp;

	if ((IS_ENABLED(CONFIG_MITIGATION_RETPOLINE) && in_array(ip, __x86_indirect_thunk_array)) ||
	    (IS_ENABLED(CONFIG_MITIGATION_CALL_DEPTH_TRACKING) &&
	     (in_array(ip, __x86_indirect_call_thunk_array) ||
	      in_array(ip, __x86_indirect_jump_thunk_array))))
		return sp + has_called(ip);
	return in_its_thunk(ip) ? sp : NULL;
}

/* ORC knows nothing of these either. They have a frame pointer. */
static bool is_trampoline(unsigned long ip)
{
	return !core_kernel_text(ip) && is_bpf_text_address(ip);
}

/* What ORC begins with in a function that has not been interrupted, but called another. */
static struct pt_regs *caller(struct pt_regs *regs, unsigned long ip, unsigned long *sp,
			      unsigned long *bp)
{
	*regs = (struct pt_regs){
		.ip = ip, .cs = __KERNEL_CS, .sp = (unsigned long)sp, .bp = (unsigned long)bp,
	};
	return regs;
}

notrace int fastterm_arch_walk(struct pt_regs *regs, fastterm_slot_fn fn, void *data)
{
	struct fastterm_slot slot = { &regs->ip, regs->ip, regs->sp, regs };
	unsigned long *sp = (unsigned long *)regs->sp, *bp = (unsigned long *)regs->bp;
	unsigned long *thunk;
	struct fastterm_tracers tracers = {};
	struct unwind_state state;
	struct fastterm_text text;
	struct stack_info stack;
	struct pt_regs frame;
	bool unwinding = false;

	if (!get_stack_info_noinstr(sp, current, &stack))
		return -EFAULT;
	slot.text = fastterm_text_at(slot.ip, &text);
	for (;;) {
		if (!fn(&slot, data))
			return 0;
		thunk = slot.regs && !slot.text ? thunk_slot(regs) : NULL;
		if (slot.text) {
			slot.at = return_slot(&text, slot.regs, sp, bp);
			unwinding = false;
		} else if (thunk) {
			slot.at = thunk;
		} else if (!slot.regs && is_trampoline(slot.ip)) {
			slot.at = bp + 1;
			unwinding = false;
		} else {
			/* A tracer is just taking a return over: ORC would complain. */
			if (IS_ENABLED(CONFIG_FUNCTION_GRAPH_TRACER) &&
			    slot.ip - (unsigned long)return_to_handler < HANDLER_SIZE)
				return -EFAULT;
			if (unwinding)
				unwind_next_frame(&state);
			else
				unwind_start(&state, current,
					     slot.regs ?: caller(&frame, slot.ip, sp, bp), NULL);
			unwinding = true;
			/* Where it knows nothing of a place it guesses, and says so. */
			if (state.error)
				return -EFAULT;
			if (unwind_done(&state) || state.regs)
				return -ENOENT;
			slot.at = unwind_get_return_address_ptr(&state);
		}
		if (slot.at < sp || !on_stack(&stack, slot.at, sizeof(*slot.at)))
			return -ENOENT;
		if (unwinding)
			bp = (unsigned long *)state.bp;
		else if (slot.at == bp + 1)
			bp = (unsigned long *)READ_ONCE_NOCHECK(*bp);
		slot.regs = NULL;
		slot.ip = READ_ONCE_NOCHECK(*slot.at);
		sp = slot.at + 1;
		slot.sp = (unsigned long)sp;
		fastterm_resolve(&slot, &text, &tracers, (unsigned long)slot.at,
				 (unsigned long)slot.at);
	}
}

/*
 * An NMI does not return to where its registers say, but to where the frame behind
 * them does, which is made from them anew if another NMI has come in between. And
 * if it came while a return from a function was being made safe, the registers say
 * that this has happened, which it has not: the address is still on the stack.
 */
static int move_interrupted_by_nmi(struct pt_regs *regs, unsigned long from, unsigned long to)
{
	unsigned long *iret = (unsigned long *)(regs + 1);
	unsigned long *unreturned = (unsigned long *)regs->sp - 1;

	WRITE_ONCE(regs->ip, to);
	if (!cpu_feature_enabled(X86_FEATURE_FRED) && cmpxchg_local(iret, from, to) != from &&
	    READ_ONCE_NOCHECK(*unreturned) == from)
		WRITE_ONCE(*unreturned, to);
	return 0;
}

notrace int fastterm_arch_move(const struct fastterm_slot *slot, unsigned long to)
{
	if (READ_ONCE_NOCHECK(*slot->at) != slot->ip)
		return -EAGAIN;
	if (slot->regs && in_nmi())
		return move_interrupted_by_nmi(slot->regs, slot->ip, to);
	WRITE_ONCE(*slot->at, to);
	return 0;
}
