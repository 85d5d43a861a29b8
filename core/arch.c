// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default implementations of the functions in <linux/fastterm_arch.h>.
 */
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/kconfig.h>
#include <linux/ptrace.h>

int __weak fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
				struct fastterm_insn *insn)
{
	return -EOPNOTSUPP;
}

int __weak fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
				const struct fastterm_insn *insn)
{
	return -EOPNOTSUPP;
}

int __weak fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip, unsigned long target)
{
	return -EOPNOTSUPP;
}

u32 __weak fastterm_arch_code_size(const struct bpf_prog *func)
{
	return func->jited_len;
}

int __weak fastterm_arch_rules(const u8 *code, u32 size, const struct fastterm_range *ranges,
			       u32 nr, struct fastterm_rule *rules)
{
	return -EOPNOTSUPP;
}

int __weak fastterm_arch_begin(struct pt_regs *regs, struct fastterm_frame *frame)
{
	return -EOPNOTSUPP;
}

int __weak fastterm_arch_step(struct fastterm_frame *frame)
{
	return fastterm_by_record(frame, 0);
}

void __weak fastterm_arch_traced(const struct fastterm_frame *frame, unsigned long *graph,
				 unsigned long *hook)
{
	*graph = *hook = (unsigned long)frame->at;
}

void __weak fastterm_arch_resume(struct pt_regs *regs, unsigned long from, unsigned long to)
{
#ifdef CONFIG_BPF_FASTTERM_BACKEND
	instruction_pointer_set(regs, to);
#endif
}

int __weak fastterm_arch_init(void)
{
	return IS_ENABLED(CONFIG_BPF_FASTTERM_BACKEND) ? 0 : -EOPNOTSUPP;
}

int __weak fastterm_arch_kick(int cpu, bool insist)
{
	return -EOPNOTSUPP;
}

enum fastterm_nmi_kind __weak fastterm_arch_nmi_init(const char **name)
{
	return FASTTERM_NMI_NONE;
}

u64 __weak fastterm_arch_cycles_hz(void)
{
	return 1000000000;
}

int __weak fastterm_arch_nmi_up(void)
{
	return -EOPNOTSUPP;
}

void __weak fastterm_arch_nmi_down(void)
{
}

void __weak fastterm_arch_nmi_arm(u64 ns, bool soon)
{
}

bool __weak fastterm_arch_patches(void)
{
	return true;
}

bool __weak fastterm_arch_is_far(const void *entry, const void *target)
{
	return false;
}

void __weak fastterm_arch_exit(void)
{
}
