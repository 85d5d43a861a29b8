// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the JIT has put a function's instructions: it reports this once for each function,
 * when it has finished it.
 *
 * Sites are jumps and calls. Each is identified by its number among the jumps and calls of
 * its function. Constant blinding does not change this number: it inserts other
 * instructions, and never adds or removes a jump or a call.
 */
#include <linux/cfi.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/slab.h>

#include "image.h"
#include "mode.h"
#include "program.h"

static bool is_jump(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code);

	return class == BPF_JMP || class == BPF_JMP32;
}

static void place_of(const struct bpf_prog *prog, u32 i, const u32 *end,
		     struct fastterm_place *place)
{
	const struct bpf_insn *insn = &prog->insnsi[i];
	bool fixed;
	s64 to;
	u64 addr;

	/*
	 * @end has offsets behind instructions. The range of the first one includes the
	 * prologue, which has no call and no jump that could be mistaken for the
	 * instruction's own.
	 */
	place->start = i ? end[i - 1] : 0;
	place->end = end[i];
	place->code = insn->code;
	place->target = 0;
	if (insn->code == (BPF_JMP | BPF_CALL)) {
		if (!bpf_jit_get_func_addr(prog, insn, true, &addr, &fixed))
			place->target = addr;
	} else if (BPF_OP(insn->code) != BPF_EXIT &&
		   insn->code != (BPF_JMP | BPF_TAIL_CALL)) {
		to = (s64)i + (insn->code == (BPF_JMP32 | BPF_JA) ?
			       insn->imm : insn->off);
		if (to >= 0 && to < prog->len)
			place->target = end[to];
	}
}

/*
 * Copy the offsets behind instructions. For the first slot of a two-slot instruction, some
 * JITs leave a stale offset from an earlier pass: it has no native code of its own.
 */
static u32 *copy_ends(const struct bpf_prog *prog, const u32 *end)
{
	u32 i, *ends = kvmalloc_array(prog->len, sizeof(*ends), GFP_KERNEL_ACCOUNT);

	for (i = 0; ends && i < prog->len; i++) {
		const struct bpf_insn *insn = &prog->insnsi[i];

		if (bpf_is_ldimm64(insn) || (i + 1 < prog->len && insn_is_zext(&insn[1])))
			ends[i] = i ? ends[i - 1] : 0;
		else
			ends[i] = end[i];
	}
	return ends;
}

/**
 * fastterm_layout_free() - free a layout
 * @layout: the layout, or NULL
 *
 * Context: process context, may sleep.
 */
void fastterm_layout_free(struct fastterm_layout *layout)
{
	if (!layout)
		return;
	kvfree(layout->ends);
	kvfree(layout->natives);
	kvfree(layout);
}

/**
 * fastterm_jited() - record the layout and the frame rules of a function
 * @prog: the function, with the instructions that were JITed
 * @end: for each of them, the offset in the image behind its native code
 *
 * Every function gets frame rules, since a walk may have to pass it. If there is no memory,
 * the program gets no stub image.
 *
 * Context: process context, may sleep; called by the JIT.
 */
void fastterm_jited(struct bpf_prog *prog, const u32 *end)
{
	struct fastterm_layout *layout;
	struct fastterm_aux *ours;
	u32 i, nr = 0;

	/* Classic programs have no symbol, so a walk does not find them. */
	if (!fastterm_supported() || bpf_prog_was_classic(prog))
		return;
	ours = fastterm_own(prog->aux);
	if (!ours)
		return;
	fastterm_rules_make(prog, end);
	if (READ_ONCE(fastterm_mode) == FASTTERM_MODE_OFF)
		return;

	for (i = 0; i < prog->len; i++)
		nr += is_jump(&prog->insnsi[i]);
	layout = kvmalloc(struct_size(layout, places, nr), GFP_KERNEL_ACCOUNT);
	if (!layout)
		return;
	layout->nr = nr;
	layout->ends = copy_ends(prog, end);
	layout->natives = kvcalloc(prog->len, sizeof(*layout->natives), GFP_KERNEL_ACCOUNT);
	if (!layout->ends || !layout->natives) {
		fastterm_layout_free(layout);
		return;
	}
	for (i = 0, nr = 0; i < prog->len; i++)
		if (is_jump(&prog->insnsi[i]))
			place_of(prog, i, end, &layout->places[nr++]);
	fastterm_layout_free(ours->layout);
	ours->layout = layout;
}
