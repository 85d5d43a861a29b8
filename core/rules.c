// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frame rules: where the caller of a program's function is, for each offset in the
 * function.
 *
 * Every function that is JITed gets a table of rules when it is loaded, whether it has a
 * stub image or not, since a walk may have to pass it. Functions of classic programs get
 * none, as a walk does not find them. The backend makes the table from the finished code,
 * in which it recognises the prologue and the epilogues by their exact form. A stub image
 * has the same layout as the original, and shares the table.
 */
#include <linux/atomic.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/slab.h>

#include <kunit/static_stub.h>

#include "image.h"
#include "program.h"
#include "walk.h"

atomic_long_t fastterm_rule_bytes = ATOMIC_LONG_INIT(0);

const struct fastterm_rules fastterm_no_rules = {};

static bool leaves(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_EXIT) || insn->code == (BPF_JMP | BPF_TAIL_CALL);
}

/* The rules have to begin at the function's entry and to be in ascending order. */
static bool in_order(const struct fastterm_rule *rules, int nr)
{
	int i;

	for (i = 1; i < nr; i++)
		if (rules[i].off <= rules[i - 1].off)
			return false;
	return nr > 0 && !rules[0].off;
}

/* Most look-ups are for offsets in one part of the function, to which one rule applies. */
static void find_body(struct fastterm_rules *rules, u32 size)
{
	u32 i, end;

	for (i = 0; i < rules->nr; i++) {
		end = i + 1 < rules->nr ? rules->row[i + 1].off : size;
		if (rules->row[i].flags & FASTTERM_RULE_NONE ||
		    end - rules->row[i].off <= rules->body_size)
			continue;
		rules->body = &rules->row[i];
		rules->body_off = rules->row[i].off;
		rules->body_size = end - rules->body_off;
	}
}

/**
 * fastterm_rules_make() - make the rules of a function
 * @prog: the function, with the instructions that were JITed
 * @ends: for each of them, the offset in the image behind its native code
 *
 * A program with a function without rules has no stub image, and a walk does not pass that
 * function.
 *
 * Context: process context, may sleep; when the function's code is finished.
 */
void fastterm_rules_make(struct bpf_prog *prog, const u32 *ends)
{
	const u32 size = fastterm_arch_code_size(prog), cfi = cfi_get_offset();
	const struct fastterm_rules *rules = NULL;
	struct fastterm_rules *made = NULL;
	struct fastterm_range *ranges;
	struct fastterm_rule *rows;
	u32 i, nr_ranges = 1;
	int nr;

	KUNIT_STATIC_STUB_REDIRECT(fastterm_rules_make, prog, ends);
	for (i = 0; i < prog->len; i++)
		nr_ranges += leaves(&prog->insnsi[i]);
	ranges = kvmalloc_array(nr_ranges, sizeof(*ranges), GFP_KERNEL);
	rows = kvmalloc_array(FASTTERM_MAX_RULES + nr_ranges * FASTTERM_RANGE_RULES,
			      sizeof(*rows), GFP_KERNEL);
	if (!ranges || !rows)
		goto out;

	for (i = 0, nr_ranges = 0; i < prog->len; i++) {
		if (!leaves(&prog->insnsi[i]))
			continue;
		ranges[nr_ranges].start = i ? ends[i - 1] - cfi : 0;
		ranges[nr_ranges++].end = ends[i] - cfi;
	}
	ranges[nr_ranges].start = min(ends[prog->len - 1] - cfi, size);
	ranges[nr_ranges++].end = size;
	nr = fastterm_arch_rules((u8 *)prog->bpf_func, size, ranges, nr_ranges, rows);
	if (nr > 0 && WARN_ON_ONCE(!in_order(rows, nr)))
		nr = -EINVAL;
	rules = nr > 0 ? NULL : &fastterm_no_rules;
	if (nr > 0)
		made = kvzalloc(struct_size(made, row, nr), GFP_KERNEL_ACCOUNT);
	if (!made)
		goto out;
	made->nr = nr;
	memcpy(made->row, rows, flex_array_size(made, row, nr));
	for (i = 0; i < nr; i++)
		if (rows[i].flags & FASTTERM_RULE_FP && rows[i].ra && rows[i].fp)
			made->row[i].flags |= FASTTERM_RULE_FRAME;
	find_body(made, size);
	atomic_long_add(struct_size(made, row, nr), &fastterm_rule_bytes);
	rules = made;
out:
	kvfree(ranges);
	kvfree(rows);
	fastterm_rules_free(prog->aux->fastterm.own->rules);
	prog->aux->fastterm.own->rules = rules;
}

/**
 * fastterm_rules_free() - free the rules of a function
 * @rules: the rules, or NULL
 *
 * Context: process context, may sleep; when the function can no longer run.
 */
void fastterm_rules_free(const struct fastterm_rules *rules)
{
	if (!rules || rules == &fastterm_no_rules)
		return;
	atomic_long_sub(struct_size(rules, row, rules->nr), &fastterm_rule_bytes);
	kvfree(rules);
}

/**
 * fastterm_rule_search() - find the rule for an offset
 * @rules: the rules of a function
 * @off: the offset from its entry
 *
 * Context: any in which the program is not freed.
 * Return: the rule; NULL if the frame cannot be described there.
 */
const struct fastterm_rule *fastterm_rule_search(const struct fastterm_rules *rules, u32 off)
{
	u32 low = 0, high = rules->nr, mid;

	if (!high)
		return NULL;
	while (high - low > 1) {
		mid = (low + high) / 2;
		if (rules->row[mid].off <= off)
			low = mid;
		else
			high = mid;
	}
	return rules->row[low].flags & FASTTERM_RULE_NONE ? NULL : &rules->row[low];
}
