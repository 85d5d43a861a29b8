/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walking the stack that a kick has interrupted.
 *
 *	struct fastterm_where where;
 *	struct fastterm_walk w;
 *	int err;
 *
 *	for (err = fastterm_walk_begin(&w, regs, NULL, &where); !err; err = fastterm_walk_next(&w))
 *		...
 *
 * Each step of a walk comes to a slot: a memory location or register with an address at
 * which execution will continue. The step describes the slot in *w.where, and in w.text the
 * function of a program that the address is in. To keep the description of a slot, the
 * caller lets w.where point to other memory before the next step. All functions are called
 * in a hardirq or an NMI, with interrupts off: the one that interrupted the registers.
 *
 * A stack may have several activations, nested in each other, as when a program is attached
 * to a function that another program calls. An activation ends with its base frame, which
 * is that of the main function (fastterm_is_base()). The next slot belongs to the code that
 * has entered the program: where.tag is set if the activation is tagged, and the walk goes on
 * behind the tag. Callbacks that the kernel calls by itself, as from a timer, are activations
 * without a main function: their base frame is the outermost frame of the program.
 */
#ifndef _BPF_FASTTERM_WALK_H
#define _BPF_FASTTERM_WALK_H

#include <linux/bpf.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/rethook.h>
#include <linux/types.h>

#include <asm/sections.h>

#include "image.h"

struct fastterm_tag;
struct llist_node;

/**
 * struct fastterm_text - the function of a program that an address is in
 * @prog: the function, or the shadow program of its stub image; NULL if the address is not
 *	  in a program
 * @image: the function's stub image; NULL if it has none
 * @off: offset of the address from the function's entry; behind the code it is in a thunk
 * @copy: the address is in the stub image
 */
struct fastterm_text {
	const struct bpf_prog *prog;
	const struct fastterm_image *image;
	u32 off;
	bool copy;
};

/**
 * enum fastterm_form - how an address is stored
 * @FASTTERM_PLAIN: without a signature
 * @FASTTERM_SIGNED: signed, with the slot's stack pointer as modifier
 * @FASTTERM_EITHER: by a kernel function, which may or may not sign its return address
 */
enum fastterm_form {
	FASTTERM_PLAIN,
	FASTTERM_SIGNED,
	FASTTERM_EITHER,
};

/**
 * struct fastterm_where - a slot: where an address is stored at which execution continues
 * @at: its location: in the interrupted registers, on a stack, or in a tracer's data; NULL
 *	for the interrupted pc
 * @ip: the address, without a signature; if there is a tag, the one that it has replaced
 * @sp: the stack pointer when execution continues there, right behind the return; 0 if it
 *	is not known, which it always is for returns into programs and from programs
 * @tag: the tag that is stored in place of the address; NULL if there is none
 * @form: how the address is stored
 * @again: this is a further location of the last slot's address
 */
struct fastterm_where {
	unsigned long *at;
	unsigned long ip;
	unsigned long sp;
	struct fastterm_tag *tag;
	enum fastterm_form form;
	bool again;
};

/**
 * struct fastterm_tracers - the return addresses in tracers' data that a walk has passed
 * @graph: number of entries of the function graph tracer
 * @hook: the last node of rethook, or the last instance of a kretprobe
 * @floor: frames of the interrupted context are above this address, those of the kick below
 */
struct fastterm_tracers {
	int graph;
	struct llist_node *hook;
	unsigned long floor;
};

/* The link register or the stack, whichever the slot is not, and the shadow call stack. */
#define FASTTERM_MAX_COPIES 2

/**
 * struct fastterm_walk - a walk
 * @where: receives the next slot
 * @told: the slot that @copies belong to
 * @text: the function of a program that the slot's address is in
 * @rule: the rule that describes the frame of that function; NULL if the address is in a
 *	  kernel function
 * @frame: the frame of the function that the address is in
 * @fprog: the last program with stub images that the walk has passed
 * @tracers: the return addresses in tracers' data that the walk has passed
 * @patched: the walk has begun where a call may be patched in: see FASTTERM_RULE_PATCHED
 * @nr_copies: number of @copies that have not been returned yet
 * @copies: further locations of the address in @told
 */
struct fastterm_walk {
	struct fastterm_where *where;
	struct fastterm_where *told;
	struct fastterm_text text;
	const struct fastterm_rule *rule;
	struct fastterm_frame frame;
	const struct fastterm_prog *fprog;
	struct fastterm_tracers tracers;
	bool patched;
	u32 nr_copies;
	unsigned long *copies[FASTTERM_MAX_COPIES];
};

/**
 * fastterm_is_base() - does an activation end with a function's frame?
 * @text: the function of a program that a slot's address is in
 *
 * Context: any in which the program is not freed.
 * Return: true if it is a main function.
 */
static inline bool fastterm_is_base(const struct fastterm_text *text)
{
	if (text->image)
		return text->image->main;
	return text->prog && !text->prog->aux->func_idx;
}

int fastterm_walk_begin(struct fastterm_walk *walk, struct pt_regs *regs,
			const struct fastterm_prog *likely, struct fastterm_where *where);
int fastterm_walk_here(struct fastterm_walk *walk, struct fastterm_where *where);
int fastterm_walk_next(struct fastterm_walk *walk);

int fastterm_move_signed(const struct fastterm_where *where, unsigned long to);

/**
 * fastterm_move() - replace the address in a slot
 * @where: the slot, from a walk in this same interrupt, but not that of the interrupted pc
 * @to: the address where execution shall continue
 *
 * The slot must still contain the address that the walk has found, signed if it should be
 * signed. It is replaced by one store.
 *
 * Context: hardirq or NMI, with interrupts off.
 * Return: 0; -EAGAIN if the slot contains another address, and nothing has been written.
 */
static inline int fastterm_move(const struct fastterm_where *where, unsigned long to)
{
	if (IS_ENABLED(CONFIG_HAVE_BPF_FASTTERM_SIGNED) && where->form != FASTTERM_PLAIN)
		return fastterm_move_signed(where, to);
	if (READ_ONCE_NOCHECK(*where->at) != where->ip)
		return -EAGAIN;
	WRITE_ONCE(*where->at, to);
	return 0;
}

bool fastterm_text_at(unsigned long ip, struct fastterm_text *text);
bool fastterm_called_from(const struct fastterm_text *text, unsigned long ip);

unsigned long *fastterm_traced(const struct fastterm_frame *frame,
			       struct fastterm_tracers *tracers);

/**
 * fastterm_is_tracer() - is a return address that of a tracer's function?
 * @ip: the address
 *
 * Context: any.
 * Return: true if it is.
 */
static inline bool fastterm_is_tracer(unsigned long ip)
{
#ifdef CONFIG_FUNCTION_GRAPH_TRACER
	if (ip == (unsigned long)dereference_kernel_function_descriptor(return_to_handler))
		return true;
#endif
#ifdef CONFIG_RETHOOK
	if (is_rethook_trampoline(ip))
		return true;
#endif
	return is_kretprobe_trampoline(ip);
}

bool fastterm_waits(unsigned long ip);

const struct fastterm_rule *fastterm_rule_search(const struct fastterm_rules *rules, u32 off);

/**
 * fastterm_rule_at() - find the rule for an offset
 * @rules: the rules of a function, or NULL
 * @off: the offset from its entry
 *
 * Context: any in which the program is not freed.
 * Return: the rule; NULL if there is none, or the frame cannot be described there.
 */
static inline const struct fastterm_rule *fastterm_rule_at(const struct fastterm_rules *rules,
							   u32 off)
{
	if (!rules)
		return NULL;
	if (off - rules->body_off < rules->body_size)
		return rules->body;
	return fastterm_rule_search(rules, off);
}

#endif /* _BPF_FASTTERM_WALK_H */
