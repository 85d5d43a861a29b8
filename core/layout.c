// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the JIT has put what we are interested in: it says so itself, once for
 * each function, when it is done with it.
 *
 * Only jumps and calls are of interest. They are known by their order among
 * themselves, which survives constant blinding: that puts other instructions
 * before them, and never takes one away or adds one.
 */
#include <linux/cfi.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/slab.h>

#include "image.h"
#include "mode.h"

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
	 * @end has offsets behind instructions. What precedes the first one,
	 * the prologue, contains no call and no jump that could be mistaken.
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
 * Offsets behind instructions, of which some JITs leave that behind the first slot of a
 * pair as it was in an earlier pass: it has nothing of its own then.
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
 * fastterm_jited() - the JIT has put a function in its place
 * @prog: the function, with the instructions that were JITed
 * @end: for each of them, the offset in the image behind its native code
 *
 * Every function gets its frame rules, since a walk may have to pass any. Without memory the
 * program gets no stub image.
 *
 * Context: process context, may sleep; from the JIT.
 */
void fastterm_jited(struct bpf_prog *prog, const u32 *end)
{
	struct fastterm_layout *layout;
	u32 i, nr = 0;

	/* No walk finds a classic program, which has no symbol. */
	if (!fastterm_supported() || bpf_prog_was_classic(prog))
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
	fastterm_layout_free(prog->aux->fastterm.layout);
	prog->aux->fastterm.layout = layout;
}
