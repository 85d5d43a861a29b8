// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a walk asks of an address: is there a program, at which place of it, and is
 * it the original or the stub image; and is that of a word still on the stack?
 */
#include <linux/bpf.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>

#include <asm/sections.h>

#include "internal.h"

/**
 * fastterm_text_at() - is there a program at an address?
 * @ip: the address
 * @text: receives what is there
 *
 * Context: any in which RCU is watching and the context cannot sleep.
 * Return: @text, filled; NULL if there is none.
 */
struct fastterm_text *fastterm_text_at(unsigned long ip, struct fastterm_text *text)
{
	const u8 *start;

	if (__is_kernel_text(ip))
		return NULL;
	text->prog = bpf_prog_ksym_find(ip);
	if (!text->prog)
		return NULL;
	text->image = text->prog->aux->fastterm.image;
	text->copy = text->image && text->image->shadow == text->prog;
	start = (u8 *)text->prog->bpf_func;
	text->code = text->image ? text->image->code + cfi_get_offset() : start;
	text->size = text->prog->jited_len;
	text->off = ip - (unsigned long)start;
	return text;
}

/* No function that programs call is longer, up to the last instruction that counts here. */
#define MAX_FUNC_SIZE 4096

/* So much of a function is searched for where it goes on in another one. */
#define MAX_SEARCH 512

/* Does a function end in a jump to the one that @ip is in? */
static bool jumps_to(unsigned long func, unsigned long ip)
{
	struct fastterm_insn insn;
	u32 off;
	int len;

	for (off = 0; off < MAX_SEARCH; off += len) {
		len = fastterm_arch_decode((u8 *)func, off, MAX_FUNC_SIZE, func, &insn);
		if (len < 0)
			return false;
		if (insn.kind == FASTTERM_INSN_JUMP && ip - insn.target < MAX_FUNC_SIZE)
			return true;
	}
	return false;
}

/* Where a target in a stub image leads, which is that of a thunk; 0 if it is none. */
static unsigned long behind_thunk(const struct fastterm_image *image, unsigned long target)
{
	const unsigned long code = (unsigned long)image->code;
	struct fastterm_insn insn;
	u32 off;
	int len;

	for (off = target - code; off < image->size; off += len) {
		len = fastterm_arch_decode(image->code, off, image->size, code, &insn);
		if (len < 0)
			break;
		if (insn.kind == FASTTERM_INSN_JUMP)
			return insn.target;
	}
	return 0;
}

/*
 * Does the call that ends at @off of a function lead to where @ip is? @image: the stub
 * image, if that is the function.
 */
static bool calls(const struct bpf_prog *func, const struct fastterm_image *image, u32 off,
		  u32 len, unsigned long ip)
{
	const u8 *code = (u8 *)func->bpf_func;
	struct fastterm_insn insn;
	unsigned long target;

	if (off < len ||
	    fastterm_arch_decode(code, off - len, func->jited_len, (long)code, &insn) != len ||
	    insn.kind != FASTTERM_INSN_CALL)
		return false;
	target = insn.target;
	if (image && target - (unsigned long)image->code < image->size) {
		if (ip - target < fastterm_arch_thunk(NULL, 0, 0, 0))
			return true;
		target = behind_thunk(image, target);
	}
	if (!core_kernel_text(target))
		return false;
	return ip - target < MAX_FUNC_SIZE || jumps_to(target, ip);
}

/**
 * fastterm_called_from() - has a program called what has been interrupted?
 * @text: where the call would return to
 * @len: length of the call
 * @ip: where the kernel has been interrupted
 *
 * A register may hold an address in a program for other reasons: the kernel's own
 * unwinder looks at many. It is a return address only if the call in front of it
 * leads to the interrupted function, or to one that ends in a jump to it. What has
 * been reached in yet another way costs no more than another kick. A return that has
 * been moved to the stub image is behind the original's call.
 *
 * Context: any.
 * Return: true if it has.
 */
bool fastterm_called_from(const struct fastterm_text *text, u32 len, unsigned long ip)
{
	const struct fastterm_prog *known;
	u32 i;

	if (calls(text->prog, text->copy ? text->image : NULL, text->off, len, ip))
		return true;
	if (!text->copy)
		return false;
	known = text->image->known;
	for (i = 0; known->images[i] != text->image; i++)
		;
	return calls(fastterm_func(known->prog, i), NULL, text->off, len, ip);
}

/**
 * fastterm_same_stack() - may a walk read from here?
 * @sp: the stack pointer where it began
 * @addr: address of a word
 *
 * The current task's stack is known. Of others it is that they are no larger,
 * which bounds a walk; whoever reads from there must cope with a fault.
 *
 * Context: any.
 * Return: true if both are on one stack, and @addr is not below @sp.
 */
bool fastterm_same_stack(unsigned long sp, unsigned long addr)
{
	unsigned long task = (unsigned long)task_stack_page(current);
	bool sp_on_task = sp - task < THREAD_SIZE;
	bool addr_on_task = addr - task < THREAD_SIZE;

	return addr >= sp && sp_on_task == addr_on_task &&
	       addr - sp < THREAD_SIZE && IS_ALIGNED(addr, sizeof(addr));
}
