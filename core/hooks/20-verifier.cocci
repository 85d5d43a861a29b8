// SPDX-License-Identifier: GPL-2.0-only
// The verifier explores the stub image together with the program, and reports each rewrite and the finished program.
// Changes: kernel/bpf/verifier.c 32

@@
@@
 #include <linux/bpf_verifier.h>
+#include <linux/fastterm.h>
+#include "fastterm/check.h"

// Behind the definitions of the static functions that explore.h needs.
@ explores @
@@
+#include "fastterm/explore.h"
+
 static int do_check(struct bpf_verifier_env *env)
 {
 ...
 }

@ step @
symbol env;
@@
 do_check(...)
 {
 <...
 env->cur_hist_ent = NULL;
+fastterm_step(env);
 ...>
 }

@ resumed @
@@
 do_check(...)
 {
 <...
-int prev_insn_idx = -1;
+int prev_insn_idx = fastterm_prev_insn(env);
 ...>
 }

@ visited @
symbol env, err;
@@
-err = is_state_visited(env, env->insn_idx);
+err = fastterm_covered(env, env->insn_idx);
+err = err ? : is_state_visited(env, env->insn_idx);

@ calls @
symbol env, err, insn, prev_insn_idx, exception_exit;
@@
+if (fastterm_skips(env, insn, &err)) {
+	if (err)
+		return err;
+	env->insn_idx++;
+	continue;
+}
 if (insn->src_reg == BPF_PSEUDO_CALL) {
 	err = check_func_call(env, insn, &env->insn_idx);
 } else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
 	...
 } else {
 	err = check_helper_call(env, insn, &env->insn_idx);
 }
+fastterm_called(env, insn, prev_insn_idx, &err);

@ explore @
symbol env, ret;
@@
-ret = do_check(env);
+do {
+	ret = do_check(env);
+} while (fastterm_resume(env, &ret));

@ both @
symbol env, ret;
@@
-ret = do_check_main(env);
-ret = ret ?: do_check_subprogs(env);
+ret = fastterm_verify(env, do_check_main, do_check_subprogs);

@ forget @
@@
 free_states(...)
 {
 ...
+fastterm_forget(env);
 sl = env->free_list;
 ...
 }

@ copied @
symbol dst_state, src;
@@
+dst_state->fastterm = src->fastterm;
 dst_state->may_goto_depth = src->may_goto_depth;

@ pushed @
symbol env, elem, speculative;
@@
 elem->st.speculative |= speculative;
+fastterm_pushed(env, &elem->st);

@ explored @
symbol env, br, st;
@@
 update_branch_counts(...)
 {
 <...
 if (br)
 	break;
+fastterm_explored(env, st);
 st = st->parent;
 ...>
 }

@ saved @
symbol env, cur, new, insn_idx;
@@
 is_state_visited(...)
 {
 <...
 cur->parent = new;
+fastterm_saved(env, new, insn_idx);
 ...>
 }

@ pruned @
symbol env, sl;
@@
 is_state_visited(...)
 {
 <...
 sl->hit_cnt++;
+fastterm_pruned(env, &sl->state);
 ...>
 }

// Like a speculative state, a state that may read unwritten memory does not prune one that may not.
@ equal @
symbol old, cur;
@@
 states_equal(...)
 {
 <...
 if (
-	old->speculative && !cur->speculative
+	(old->speculative && !cur->speculative) || fastterm_may_more(old, cur)
 )
 	return false;
 ...>
 }

// Not inside the loop: for some programs, it takes most of the load time.
@ read @
symbol env, state, parent, flag;
@@
 mark_reg_read(...)
 {
 ...
+fastterm_reads(env, state, parent, flag);
 while (parent) { ... }
 ...
 }

@ precise @
symbol env, reg;
identifier fn = {__mark_chain_precision, mark_all_scalars_precise};
@@
 fn(...)
 {
 <...
-reg->precise = true;
+fastterm_precise(env, reg);
 ...>
 }

@ uninit @
symbol env;
expression type;
identifier fn = {check_stack_read_fixed_off, check_stack_range_initialized};
@@
 fn(...)
 {
 <...
 type == STACK_INVALID &&
-env->allow_uninit_stack
+fastterm_reads_uninit(env)
 ...>
 }

@ allowed @
symbol env;
identifier fn = {check_stack_write_var_off, check_stack_slot_within_bounds};
@@
 fn(...)
 {
 <...
-env->allow_uninit_stack
+fastterm_allows_uninit(env)
 ...>
 }

@ leaves @
symbol env, err, insn;
@@
-err = check_cond_jmp_op(env, insn, &env->insn_idx);
+if (fastterm_leaves_loop(env, insn))
+	err = 0;
+else
+	err = check_cond_jmp_op(env, insn, &env->insn_idx);

@ goes_on @
symbol queued_st;
@@
 queued_st->may_goto_depth++;
+fastterm_part(queued_st);

@ rewrite @
identifier env, off, len, prog;
@@
 adjust_subprog_starts(env, off, len);
 adjust_poke_descs(prog, off, len);
+fastterm_insn_patched(env, prog, off, len);

@ done @
symbol env, ret;
identifier prog;
@@
+fastterm_verified(env, ret);
 *prog = env->prog;

// Which values a program may return: no other one is imposed on it.
@ returned @
symbol env, range, is_subprog;
statement S;
@@
 check_return_code(...)
 {
 <...
+if (!is_subprog)
+	fastterm_returns(env, range.minval, range.maxval);
 if (!retval_range_within(range, ...)) S
 ...>
 }
