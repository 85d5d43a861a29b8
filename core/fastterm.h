/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: what the rest of the kernel may call.
 *
 * A program that the verifier accepted contains, on every path to its exit,
 * the code that releases what it holds. To stop a running program we redirect
 * it, from an interrupt, into a copy of its machine code in which everything
 * that can be skipped is skipped, and it leaves by its own exit.
 *
 * What an architecture provides for this is in <linux/fastterm_arch.h>.
 */
#ifndef _LINUX_FASTTERM_H
#define _LINUX_FASTTERM_H

#include <linux/types.h>

struct bpf_prog;
struct bpf_prog_aux;
struct bpf_verifier_env;

#ifdef CONFIG_BPF_FASTTERM

bool fastterm_supported(void);

void fastterm_before_call(struct bpf_verifier_env *env);
void fastterm_after_call(struct bpf_verifier_env *env, int err);
void fastterm_no_return(struct bpf_verifier_env *env);
void fastterm_insn_patched(struct bpf_verifier_env *env,
			   const struct bpf_prog *prog, u32 off, u32 len);
void fastterm_verified(struct bpf_verifier_env *env, int err);
void fastterm_jited(struct bpf_prog *prog, const u32 *end);
void fastterm_loaded(struct bpf_prog *prog);
void fastterm_publish(struct bpf_prog *prog);
void fastterm_hide(struct bpf_prog *prog);
void fastterm_free(struct bpf_prog_aux *aux);

#else

static inline bool fastterm_supported(void)
{
	return false;
}

static inline void fastterm_before_call(struct bpf_verifier_env *env) { }
static inline void fastterm_after_call(struct bpf_verifier_env *env, int err) { }
static inline void fastterm_no_return(struct bpf_verifier_env *env) { }
static inline void fastterm_insn_patched(struct bpf_verifier_env *env,
					 const struct bpf_prog *prog,
					 u32 off, u32 len) { }
static inline void fastterm_verified(struct bpf_verifier_env *env, int err) { }
static inline void fastterm_jited(struct bpf_prog *prog, const u32 *end) { }
static inline void fastterm_loaded(struct bpf_prog *prog) { }
static inline void fastterm_publish(struct bpf_prog *prog) { }
static inline void fastterm_hide(struct bpf_prog *prog) { }
static inline void fastterm_free(struct bpf_prog_aux *aux) { }

#endif /* CONFIG_BPF_FASTTERM */

#endif /* _LINUX_FASTTERM_H */
