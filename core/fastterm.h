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
 * struct fastterm_outcome - what became of a termination
 * @id: the program's
 * @kicks: how many interrupts it took
 * @refused: how many of them found a stack that made no sense, and left it alone
 * @frames: how many frames of programs were moved
 * @request_ns: from the request to the kick that found the program, in ns
 * @exit_ns: from then on until it had left, in ns
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
bool fastterm_refuses(void);
bool fastterm_stops_loops(void);

/**
 * fastterm_any_leaving() - may the CPU have a program that is to end?
 *
 * All that is asked where none is: what it costs to have fastterm.
 *
 * Context: any in which the CPU does not change.
 * Return: false if it has none.
 */
static __always_inline bool fastterm_any_leaving(void)
{
	/* Another CPU may write it, see fastterm_cut_loops(): one byte, read once a question. */
	return unlikely(data_race(__this_cpu_read(fastterm_leaving)));
}

/**
 * fastterm_should_stop() - is the caller part of an activation that is terminated?
 *
 * A function of the kernel that calls a callback of a program again and again
 * asks this after each call, and behaves as if the callback had said "stop".
 *
 * Context: any in which programs run: the CPU does not change.
 * Return: true if it should call the program no more.
 */
static __always_inline bool fastterm_should_stop(void)
{
	return fastterm_any_leaving() && fastterm_stops_loops();
}

/**
 * fastterm_should_refuse() - would a program become part of an activation that is terminated?
 *
 * Where a program is refused that would be entered recursively, this is asked as well,
 * and it is refused in the same way.
 *
 * Context: any in which programs are entered: the CPU does not change.
 * Return: true if it should not be entered.
 */
static __always_inline bool fastterm_should_refuse(void)
{
	return fastterm_any_leaving() && fastterm_refuses();
}

/* After a callback has returned @ret: make it say "stop" if the caller should. */
#define fastterm_ask(ret)	((void)(fastterm_should_stop() && ((ret) = 1)))

/* See <linux/fastterm_arch.h>. */
void fastterm_arch_exit(void);
unsigned long fastterm_untag(const struct task_struct *task, unsigned long sp);

/**
 * fastterm_is_exit() - is a return address a tag?
 * @ret: the return address
 *
 * Context: any.
 * Return: true if it is: then fastterm_untag() says where it continues.
 */
static __always_inline bool fastterm_is_exit(unsigned long ret)
{
	return unlikely(ret == (unsigned long)fastterm_arch_exit);
}

/**
 * fastterm_real_return() - to where does a return address lead?
 * @task: the task whose stack is unwound; NULL for the current one
 * @ret: the return address that has been found there
 * @sp: the stack pointer behind that return
 *
 * For unwinders: an activation that is tagged returns to fastterm_arch_exit(), which continues
 * where its caller is.
 *
 * Context: any.
 * Return: @ret, or if that is a tag, the address that the tag stands for.
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
void fastterm_loaded(struct bpf_prog *prog);
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

static __always_inline bool fastterm_should_refuse(void)
{
	return false;
}

/* A macro, since gcc orders operands of later comparisons differently if it sees the argument. */
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
static inline void fastterm_loaded(struct bpf_prog *prog) { }
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
