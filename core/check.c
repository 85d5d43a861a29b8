// SPDX-License-Identifier: GPL-2.0-only
/*
 * The product check: what of it needs none of the verifier's own functions. The rest is in
 * check.h.
 */
#include <linux/bpf_verifier.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/string.h>

#include "decision.h"
#include "verdict.h"

/**
 * fastterm_log() - keep what the verifier says of a stub image from its user's log
 * @log: the verifier's log, with the text in @log->kbuf
 *
 * The last line is kept, which may come in pieces: before it returns an error, the verifier
 * says why.
 *
 * Context: process context.
 * Return: true if the text was about a stub image.
 */
bool fastterm_log(const struct bpf_verifier_log *log)
{
	char *sentence = log->fastterm.sentence;
	size_t len;

	if (!sentence)
		return false;
	len = strlen(sentence);
	if (len && sentence[len - 1] == '\n')
		len = 0;
	strscpy(sentence + len, log->kbuf, FASTTERM_SENTENCE - len);
	return true;
}

/**
 * fastterm_is_inlined() - will instructions stand in the place of a helper's call?
 * @env: the verifier's, in the state in which it comes to the call
 * @insn: the call
 *
 * It need not be sure: where the call of a helper stays that this says is inlined, the call
 * is kept; where one is inlined that this does not name, the program has no stub image.
 *
 * Context: process context.
 * Return: true if it knows of it.
 */
bool fastterm_is_inlined(const struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	const struct bpf_verifier_state *state = env->cur_state;
	const struct bpf_reg_state *r1 = &state->frame[state->curframe]->regs[BPF_REG_1];

	switch (insn->imm) {
	case BPF_FUNC_kptr_xchg:
	case BPF_FUNC_jiffies64:
	case BPF_FUNC_get_func_arg:
	case BPF_FUNC_get_func_ret:
	case BPF_FUNC_get_func_arg_cnt:
	case BPF_FUNC_get_func_ip:
	case BPF_FUNC_get_branch_snapshot:
	case BPF_FUNC_get_smp_processor_id:
		return true;
	case BPF_FUNC_map_lookup_elem:
		if (r1->type != CONST_PTR_TO_MAP || !r1->map_ptr->ops->map_gen_lookup)
			return false;
		/* Those of hash tables begin with a call. */
		return r1->map_ptr->map_type != BPF_MAP_TYPE_HASH &&
		       r1->map_ptr->map_type != BPF_MAP_TYPE_LRU_HASH &&
		       r1->map_ptr->map_type != BPF_MAP_TYPE_HASH_OF_MAPS;
	default:
		return bpf_jit_inlines_helper_call(insn->imm);
	}
}

/**
 * fastterm_assumption() - what the check of the stub image assumes of an instruction
 * @d: what was decided on it
 * @calls_back: it calls a function that runs callbacks, whose result is any
 *
 * Context: any.
 * Return: 0 if the instruction is no site, or is kept; otherwise a number that is the same
 * for what the stub image does in the same way.
 */
u8 fastterm_assumption(const struct fastterm_decision *d, bool calls_back)
{
	if (!d->kind || d->why)
		return 0;
	if (d->kind == FASTTERM_LOOP || calls_back)
		return 1;
	if (d->kind == FASTTERM_TAIL_CALL)
		return 2;
	if (d->fill & FASTTERM_FILL)
		return 8 + fastterm_fill_arg(d);
	return 16 + fastterm_result(d);
}
