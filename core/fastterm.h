/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: what the rest of the kernel may call.
 *
 * A program that the verifier has accepted contains, on every path to its exit, the code
 * that releases what it holds. To terminate a running program, an interrupt redirects it
 * into a copy of its machine code in which everything that can be skipped is skipped. The
 * program then leaves by its own exit.
 *
 * What an architecture provides for this is in <linux/fastterm_arch.h>. The design is
 * described in Documentation/bpf/fastterm.rst.
 */
#ifndef _LINUX_FASTTERM_H
#define _LINUX_FASTTERM_H

#include <linux/errno.h>
#include <linux/percpu.h>
#include <linux/types.h>

struct bpf_prog;
struct bpf_prog_aux;
struct bpf_verifier_env;
struct bpf_verifier_log;
struct seq_file;
struct task_struct;

/**
 * struct fastterm_outcome - the result of a termination
 * @id: the program's id
 * @kicks: how many interrupts the termination took; those that only found that every frame
 *	   had been moved are not counted
 * @refused: how many interrupts found a stack that made no sense, and changed nothing
 * @frames: how many frames of programs were moved
 * @request_ns: time from the request to the interrupt that found the program, in ns
 * @exit_ns: time from that interrupt to the program's exit, in ns
 */
struct fastterm_outcome {
	u32 id;
	u32 kicks;
	u32 refused;
	u32 frames;
	u64 request_ns;
	u64 exit_ns;
};

#ifdef CONFIG_BPF_FASTTERM

bool fastterm_supported(void);

int bpf_fastterm_terminate(const struct bpf_prog *prog, int cpu);
int bpf_fastterm_outcome(int cpu, struct fastterm_outcome *outcome);

DECLARE_PER_CPU(bool, fastterm_leaving);
bool fastterm_refuses(const struct bpf_prog *prog);
bool fastterm_stops_loops(void);

/**
 * fastterm_any_leaving() - may this CPU have a program that is being terminated?
 *
 * While no program is being terminated, nothing else is tested where programs and
 * callbacks are called: this test is what CONFIG_BPF_FASTTERM costs there.
 *
 * Context: any in which the CPU does not change.
 * Return: false if this CPU has no such program.
 */
static __always_inline bool fastterm_any_leaving(void)
{
	/* Another CPU may write this byte, see fastterm_cut_loops(). It is read once. */
	return unlikely(data_race(__this_cpu_read(fastterm_leaving)));
}

/**
 * fastterm_should_stop() - is the caller part of an activation that is being terminated?
 *
 * A kernel function that calls a callback of a program in a loop calls this after each
 * iteration. If it returns true, the loop ends as if the callback had returned 1.
 *
 * Context: any in which programs run: the CPU does not change.
 * Return: true if the caller should not call the program again.
 */
static __always_inline bool fastterm_should_stop(void)
{
	return fastterm_any_leaving() && fastterm_stops_loops();
}

/**
 * fastterm_should_refuse() - is a program to be kept from running now?
 * @prog: the program that is about to be entered; NULL if there may be several
 *
 * It is if it would become part of an activation that is being terminated, or if it would
 * run while an interrupt of ours looks at this CPU, in which nothing can be terminated
 * here. A program whose value permits or denies something is never kept from running. The
 * kernel calls this where it refuses to enter a program recursively, and refuses the
 * program in the same way.
 *
 * Context: any in which programs are entered: the CPU does not change.
 * Return: true if the program should not be entered.
 */
static __always_inline bool fastterm_should_refuse(const struct bpf_prog *prog)
{
	return fastterm_any_leaving() && fastterm_refuses(prog);
}

/* Behind the call of a callback that has returned @ret: end the loop if the caller should stop. */
#define fastterm_ask(ret)	((void)(fastterm_should_stop() && ((ret) = 1)))

/* See <linux/fastterm_arch.h>. */
void fastterm_arch_exit(void);
unsigned long fastterm_untag(const struct task_struct *task, unsigned long sp);

/**
 * fastterm_is_exit() - is a return address an exit tag?
 * @ret: the return address
 *
 * Context: any.
 * Return: true if it is. fastterm_untag() then gives the return address that the tag has
 * replaced.
 */
static __always_inline bool fastterm_is_exit(unsigned long ret)
{
	return unlikely(ret == (unsigned long)fastterm_arch_exit);
}

/**
 * fastterm_real_return() - resolve a return address that may be an exit tag
 * @task: the task whose stack is unwound; NULL for the current one
 * @ret: the return address that the unwinder has found
 * @sp: the stack pointer after the return
 *
 * For unwinders: a tagged activation returns to fastterm_arch_exit(), which then continues
 * in the activation's caller.
 *
 * Context: any.
 * Return: @ret, or the return address that the tag has replaced if @ret is a tag.
 */
static __always_inline unsigned long fastterm_real_return(const struct task_struct *task,
							  unsigned long ret, unsigned long sp)
{
	return fastterm_is_exit(ret) ? fastterm_untag(task, sp) : ret;
}

bool fastterm_log(const struct bpf_verifier_log *log);
void fastterm_insn_patched(struct bpf_verifier_env *env,
			   const struct bpf_prog *prog, u32 off, u32 len);
void fastterm_verified(struct bpf_verifier_env *env, int err);
void fastterm_jited(struct bpf_prog *prog, const u32 *end);
int fastterm_loaded(struct bpf_prog *prog);
void fastterm_publish(struct bpf_prog *prog);
bool fastterm_last_put(struct bpf_prog *prog, bool deferred);
bool fastterm_ended(struct bpf_prog_aux *aux, rcu_callback_t again);
void fastterm_hide(struct bpf_prog *prog);
void fastterm_free(struct bpf_prog_aux *aux);
void fastterm_show_fdinfo(struct seq_file *m, const struct bpf_prog *prog);

#else

static inline bool fastterm_supported(void)
{
	return false;
}

#define fastterm_ask(...)	do { } while (0)

static inline int bpf_fastterm_terminate(const struct bpf_prog *prog, int cpu)
{
	return -EOPNOTSUPP;
}

static inline int bpf_fastterm_outcome(int cpu, struct fastterm_outcome *outcome)
{
	return -EOPNOTSUPP;
}

static __always_inline bool fastterm_should_stop(void)
{
	return false;
}

static __always_inline bool fastterm_should_refuse(const struct bpf_prog *prog)
{
	return false;
}

/* A macro: if gcc sees the argument, it orders the operands of later comparisons differently. */
#define fastterm_is_exit(...)	false

static inline unsigned long fastterm_untag(const struct task_struct *task, unsigned long sp)
{
	return 0;
}

static inline unsigned long fastterm_real_return(const struct task_struct *task,
						 unsigned long ret, unsigned long sp)
{
	return ret;
}

#define fastterm_log(...)	false

static inline void fastterm_insn_patched(struct bpf_verifier_env *env,
					 const struct bpf_prog *prog,
					 u32 off, u32 len) { }
static inline void fastterm_verified(struct bpf_verifier_env *env, int err) { }
static inline void fastterm_jited(struct bpf_prog *prog, const u32 *end) { }
static inline int fastterm_loaded(struct bpf_prog *prog)
{
	return 0;
}

static inline void fastterm_publish(struct bpf_prog *prog) { }
static inline bool fastterm_last_put(struct bpf_prog *prog, bool deferred)
{
	return false;
}

static inline bool fastterm_ended(struct bpf_prog_aux *aux, rcu_callback_t again)
{
	return false;
}

static inline void fastterm_hide(struct bpf_prog *prog) { }
static inline void fastterm_free(struct bpf_prog_aux *aux) { }
static inline void fastterm_show_fdinfo(struct seq_file *m,
					const struct bpf_prog *prog) { }

#endif /* CONFIG_BPF_FASTTERM */

#endif /* _LINUX_FASTTERM_H */
