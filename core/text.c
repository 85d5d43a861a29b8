// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a walk asks of an address: is there a program, at which place of it, and is it the
 * original or the stub image? Does a call there lead to the interrupted function?
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
 * fastterm_text_at() - is there a program at an address?
 * @ip: the address, which is not in the kernel's own text
 * @text: receives what is there
 *
 * Context: any in which RCU is watching and the context cannot sleep.
 * Return: true if there is.
 */
bool fastterm_text_at(unsigned long ip, struct fastterm_text *text)
{
	const struct bpf_prog *prog = bpf_prog_ksym_find(ip);
	const struct fastterm_image *image;

	text->prog = prog;
	if (!prog)
		return false;
	image = prog->aux->fastterm.image;
	text->image = image;
	text->copy = image && image->shadow == prog;
	text->off = ip - (unsigned long)prog->bpf_func;
	/* A symbol may end behind its function, where something else begins. */
	if (text->copy && ip - (unsigned long)image->code >= image->size)
		text->prog = NULL;
	return text->prog;
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

/* Calls have at most so many bytes, and an even number of them where there is a link register. */
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
 * Does the call that ends at @off of a function lead to where @ip is? @image: the stub
 * image, if that is the function.
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
 * fastterm_called_from() - has a program called what has been interrupted?
 * @text: where the call would return to
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
