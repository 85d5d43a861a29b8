// SPDX-License-Identifier: GPL-2.0-only
// The verifier shows us its state around each call, each rewrite, and the finished program.
// Changes: kernel/bpf/verifier.c 8

@@
@@
 #include <linux/bpf_verifier.h>
+#include <linux/fastterm.h>

@ calls @
symbol err;
expression env, insn, idx;
@@
+fastterm_before_call(env);
 err = \(check_helper_call\|check_kfunc_call\)(env, insn, idx);
+fastterm_after_call(env, err);

@ no_return @
symbol err;
expression env, insn;
@@
 fastterm_after_call(env, err);
 if (!err && is_bpf_throw_kfunc(insn)) {
+	fastterm_no_return(env);
 ...
 }

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
