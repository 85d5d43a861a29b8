// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: interrupts and stacks of x86_64.
 */
#include <linux/align.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/ftrace.h>
#include <linux/percpu.h>

#include <asm/apic.h>
#include <asm/irq_regs.h>
#include <asm/nmi.h>
#include <asm/sections.h>
#include <asm/text-patching.h>
#include <asm/unwind.h>

#include "fastterm_nmi.h"

/* Larger than return_to_handler(). */
#define HANDLER_SIZE	128

static void kicked_by_ipi(void)
{
	fastterm_kicked(get_irq_regs());
}

/* X86_PLATFORM_IPI_VECTOR is used by one platform only, on which programs are not terminated. */
int fastterm_arch_init(void)
{
	if (x86_platform_ipi_callback)
		return -EOPNOTSUPP;
	x86_platform_ipi_callback = kicked_by_ipi;
	return register_nmi_handler(NMI_UNKNOWN, fastterm_claim_nmi, 0, "bpf_fastterm") ?:
	       register_nmi_handler(NMI_LOCAL, fastterm_handle_nmi, 0, "bpf_fastterm");
}

int fastterm_arch_kick(int cpu, bool insist)
{
	/* An NMI may interrupt the two writes by which an IPI is sent. */
	bool between = in_nmi() && !x2apic_mode;
	u32 icr2 = between ? apic_read(APIC_ICR2) : 0;
	unsigned long flags;

	if (!cpu_online(cpu))
		return 0;
	local_irq_save(flags);
	__apic_send_IPI(cpu, X86_PLATFORM_IPI_VECTOR);
	if (insist)
		fastterm_send_nmi(cpu);
	if (between) {
		apic_wait_icr_idle();
		apic_write(APIC_ICR2, icr2);
	}
	local_irq_restore(flags);
	return 0;
}

/* An array has one thunk for each of 16 registers. */
static bool in_array(unsigned long ip, const void *thunks, u32 size)
{
	return ip - (unsigned long)thunks < 16 * size;
}

static bool in_thunk(unsigned long ip)
{
#ifdef CONFIG_MITIGATION_ITS
	/* Some stable releases of a series do not have these thunks. */
	if (in_array(ip, __x86_indirect_its_thunk_array, ITS_THUNK_SIZE))
		return true;
#endif
	return (IS_ENABLED(CONFIG_MITIGATION_RETPOLINE) &&
		in_array(ip, __x86_indirect_thunk_array, RETPOLINE_THUNK_SIZE)) ||
	       (IS_ENABLED(CONFIG_MITIGATION_CALL_DEPTH_TRACKING) &&
		(in_array(ip, __x86_indirect_call_thunk_array, RETPOLINE_THUNK_SIZE) ||
		 in_array(ip, __x86_indirect_jump_thunk_array, RETPOLINE_THUNK_SIZE)));
}

/*
 * The thunks of indirect calls jump; or they make one call over an int3, to replace its
 * return address by their target.
 */
static bool has_called(unsigned long ip)
{
	static const u8 call[] = { CALL_INSN_OPCODE, INT3_INSN_SIZE, 0, 0, 0 };
	const u8 *p = (u8 *)ALIGN_DOWN(ip, RETPOLINE_THUNK_SIZE);

	for (; p + sizeof(call) <= (u8 *)ip; p++)
		if (!memcmp(p, call, sizeof(call)))
			return true;
	return false;
}

static unsigned long stack_end(unsigned long sp)
{
	struct stack_info stack;

	return get_stack_info_noinstr((unsigned long *)sp, current, &stack) ?
	       (unsigned long)stack.end : 0;
}

int fastterm_arch_begin(struct pt_regs *regs, struct fastterm_frame *frame)
{
	frame->fp = regs->bp;
	frame->high = frame->high ?: stack_end(frame->sp);
	return frame->high ? 0 : -ENOENT;
}

/**
 * struct orc - the state of ORC in a walk
 * @state: ORC's state
 * @regs: the registers with which it has begun
 */
struct orc {
	struct unwind_state state;
	struct pt_regs regs;
};

/* The walk of an NMI may interrupt another walk. */
static DEFINE_PER_CPU(struct orc, orcs[2]);

static int step_by_orc(struct fastterm_frame *frame)
{
	struct orc *orc = this_cpu_ptr(&orcs[!!in_nmi()]);
	struct unwind_state *state = &orc->state;

	/* A tracer is handling a return: ORC would print a warning. */
	if (IS_ENABLED(CONFIG_FUNCTION_GRAPH_TRACER) &&
	    frame->ip - (unsigned long)return_to_handler < HANDLER_SIZE)
		return -EFAULT;
	if (!frame->unwind && !frame->regs)
		orc->regs = (struct pt_regs){
			.ip = frame->ip, .cs = __KERNEL_CS, .sp = frame->sp, .bp = frame->fp,
		};
	if (frame->unwind)
		unwind_next_frame(state);
	else
		unwind_start(state, current, frame->regs ?: &orc->regs, NULL);
	frame->unwind = orc;
	/* Without data for an address ORC guesses, and sets error. */
	if (state->error)
		return -EFAULT;
	if (unwind_done(state) || state->regs)
		return -ENOENT;
	frame->at = unwind_get_return_address_ptr(state);
	frame->fp = state->bp;
	return 0;
}

int fastterm_arch_step(struct fastterm_frame *frame)
{
	unsigned long *at = NULL;
	int err = 0;

	/* There is no ORC data for thunks. */
	if (frame->regs && in_thunk(frame->ip))
		at = (unsigned long *)frame->sp + has_called(frame->ip);
	/*
	 * A program's tail call jumps to a thunk when only the frame record is left of its
	 * frame. BPF trampolines have a frame record as well, and no ORC data.
	 */
	if (at && at != (unsigned long *)frame->fp)
		frame->at = at;
	else if (at || (!frame->regs && !core_kernel_text(frame->ip) &&
			is_bpf_text_address(frame->ip)))
		err = fastterm_by_record(frame, 0);
	else
		err = step_by_orc(frame);
	frame->sp = (unsigned long)(frame->at + 1);
	return err;
}

/*
 * An NMI does not return to regs->ip, but to the address in the iret frame behind the
 * registers. If another NMI has come in between, that frame is copied from the registers
 * again, so write both. If the NMI has interrupted a safe-RET sequence, the kernel has
 * changed the registers as if that had returned. But the iret frame leads back into the
 * sequence, and the address is still on the stack.
 */
void fastterm_arch_resume(struct pt_regs *regs, unsigned long from, unsigned long to)
{
	unsigned long *iret = (unsigned long *)(regs + 1), *sp = (unsigned long *)regs->sp;

	WRITE_ONCE(regs->ip, to);
	if (in_nmi() && !cpu_feature_enabled(X86_FEATURE_FRED) &&
	    cmpxchg_local(iret, from, to) != from && READ_ONCE_NOCHECK(sp[-1]) == from)
		WRITE_ONCE(sp[-1], to);
}
