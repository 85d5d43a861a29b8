// SPDX-License-Identifier: GPL-2.0-only
/*
 * Look-up of an address for a walk: which program it is in, at which offset, and whether in
 * P or in S; and whether the call in front of it leads to the interrupted function.
 */
#include <linux/bpf.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/kernel.h>

#include <asm/sections.h>

#include "image.h"
#include "program.h"
#include "walk.h"

/**
 * fastterm_text_at() - find the function of a program that an address is in
 * @ip: the address, which is not in the kernel's own text
 * @text: receives the function
 *
 * Context: any in which RCU is watching and the context cannot sleep.
 * Return: true if the address is in a program.
 */
bool fastterm_text_at(unsigned long ip, struct fastterm_text *text)
{
	const struct bpf_prog *prog = bpf_prog_ksym_find(ip);
	const struct fastterm_image *image;

	text->prog = prog;
	if (!prog)
		return false;
	image = fastterm_aux(prog)->image;
	text->image = image;
	text->copy = image && image->shadow == prog;
	text->off = ip - (unsigned long)prog->bpf_func;
	/* A symbol may include its end address, where another allocation may begin. */
	if (text->copy && ip - (unsigned long)image->code >= image->size)
		text->prog = NULL;
	return text->prog;
}

/* No function that programs call is longer, up to its last instruction that matters here. */
#define MAX_FUNC_SIZE 4096

/* How many bytes of a function are searched for a tail call of another one. */
#define MAX_SEARCH 512

/* Does a function jump to the function that @ip is in? */
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

/* The target of the thunk at an address in a stub image; 0 if there is no thunk. */
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

/* Calls have at most so many bytes; where there is a link register, their number is even. */
#define MAX_CALL_SIZE 8

/* The target of the call that ends at @off of a function; 0 if none does. */
static unsigned long call_target(const struct bpf_prog *func, u32 off)
{
	const u8 *code = (u8 *)func->bpf_func;
	struct fastterm_insn insn;
	int len;

	for (len = 2; len <= MAX_CALL_SIZE && len <= off; len += 2)
		if (fastterm_arch_decode(code, off - len, off, (long)code, &insn) == len &&
		    insn.kind == FASTTERM_INSN_CALL)
			return insn.target;
	return 0;
}

/*
 * Does the call that ends at @off of a function lead to the function that @ip is in? @image
 * is the stub image if @func is its shadow program, and otherwise NULL.
 */
static bool calls(const struct bpf_prog *func, const struct fastterm_image *image, u32 off,
		  unsigned long ip)
{
	unsigned long target = call_target(func, off);

	if (!target)
		return false;
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
 * fastterm_called_from() - has a program called the interrupted function?
 * @text: where the call would return to
 * @ip: the interrupted pc, in the kernel
 *
 * A register may contain an address in a program for other reasons: the kernel's own
 * unwinder handles many such addresses. It is a return address only if the call in front of
 * it leads to the interrupted function, or to one that ends in a jump to that function. If
 * the function has been reached in yet another way, the redirect takes one more kick. If
 * the return address has been moved to the stub image, the call that was made is the one in
 * the original.
 *
 * Context: any.
 * Return: true if it has.
 */
bool fastterm_called_from(const struct fastterm_text *text, unsigned long ip)
{
	const struct fastterm_prog *fprog;
	u32 i;

	if (calls(text->prog, text->copy ? text->image : NULL, text->off, ip))
		return true;
	if (!text->copy)
		return false;
	fprog = text->image->fprog;
	for (i = 0; fprog->images[i] != text->image; i++)
		;
	return calls(fastterm_func(fprog->prog, i), NULL, text->off, ip);
}
