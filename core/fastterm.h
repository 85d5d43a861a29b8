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

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/types.h>

struct bpf_map;
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
int bpf_fastterm_quarantine(struct bpf_prog *prog, bool on);

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
#ifdef CONFIG_HAVE_BPF_FASTTERM_MASKED_PROBES
unsigned long fastterm_arch_let_nmis_in(void);
void fastterm_arch_keep_nmis_out(unsigned long before);
#else
static inline unsigned long fastterm_arch_let_nmis_in(void)
{
	return 0;
}

static inline void fastterm_arch_keep_nmis_out(unsigned long before) { }
#endif

/*
 * bpf_prog_run_array() for the programs of a probe, where NMIs may be masked: let them in, so that
 * programs can be terminated.
 */
#define fastterm_run_array(array, ctx, run) ({				\
	unsigned long __before = fastterm_arch_let_nmis_in();		\
	u32 __result = bpf_prog_run_array(array, ctx, run);		\
									\
	fastterm_arch_keep_nmis_out(__before);				\
	__result;							\
})
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

/*
 * Programs that are loaded; and those of them that can run for long: they have a stub image, or can
 * be attached to what other programs call.
 */
extern atomic_t fastterm_nr_progs, fastterm_nr_stoppable;
void fastterm_ticked(void);

/**
 * fastterm_tick() - look which programs this CPU runs
 *
 * Called by each tick, with the interrupted registers in get_irq_regs().
 *
 * Context: hardirq, with interrupts off.
 */
static __always_inline void fastterm_tick(void)
{
	if (atomic_read(&fastterm_nr_progs))
		fastterm_ticked();
}

int fastterm_text_poke(void *ip, int type, void *old, void *new);
void fastterm_array_replaced(struct bpf_map *map, u32 index, void **old, void *prog);
void **fastterm_array_elem(void **elem);

/* Does the target of a far jump stay where it is kept, when the jump has been patched away? */
static inline bool fastterm_keeps_plt(bool jump)
{
	return jump;
}

bool fastterm_log(const struct bpf_verifier_log *log);
void fastterm_returns(struct bpf_verifier_env *env, s32 least, s32 most);
void fastterm_insn_patched(struct bpf_verifier_env *env,
			   const struct bpf_prog *prog, u32 off, u32 len);
void fastterm_verified(struct bpf_verifier_env *env, int err);
void fastterm_jited(struct bpf_prog *prog, const u32 *end);
int fastterm_loaded(struct bpf_prog *prog);
void fastterm_publish(struct bpf_prog *prog);
bool fastterm_last_put(struct bpf_prog *prog, bool deferred);
bool fastterm_ended(struct bpf_prog_aux *aux, rcu_callback_t again);
void fastterm_hide(struct bpf_prog *prog);
void fastterm_dies(struct bpf_prog_aux *aux);
void fastterm_free(struct bpf_prog_aux *aux);
void fastterm_show_fdinfo(struct seq_file *m, const struct bpf_prog *prog);

#else

#define fastterm_tick()		do { } while (0)

#define fastterm_run_array(...)	bpf_prog_run_array(__VA_ARGS__)

static inline bool fastterm_supported(void)
{
	return false;
}

#define fastterm_ask(...)	do { } while (0)

#define fastterm_text_poke(...)	bpf_arch_text_poke(__VA_ARGS__)
#define fastterm_array_elem(elem)	(elem)

#define fastterm_array_replaced(...)	do { } while (0)
#define fastterm_keeps_plt(...)	false

static inline int bpf_fastterm_terminate(const struct bpf_prog *prog, int cpu)
{
	return -EOPNOTSUPP;
}

static inline int bpf_fastterm_outcome(int cpu, struct fastterm_outcome *outcome)
{
	return -EOPNOTSUPP;
}

static inline int bpf_fastterm_quarantine(struct bpf_prog *prog, bool on)
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

#define fastterm_returns(...)	do { } while (0)

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
static inline void fastterm_dies(struct bpf_prog_aux *aux) { }
static inline void fastterm_free(struct bpf_prog_aux *aux) { }
static inline void fastterm_show_fdinfo(struct seq_file *m,
					const struct bpf_prog *prog) { }

#endif /* CONFIG_BPF_FASTTERM */

#ifdef CONFIG_BPF_FASTTERM_WATCHDOG

DECLARE_PER_CPU(bool, fastterm_armed);
void fastterm_arm(int timekeeper);
void fastterm_disarm(void);
void fastterm_wake_watch(void);
extern bool fastterm_nmi_arms;
void fastterm_nmi_sleeps(void);
void fastterm_nmi_wakes(bool alone);

/**
 * fastterm_idle_begins() - let this CPU sleep
 *
 * Called when the CPU is about to idle, and again after each interrupt in idle: the watchdog's
 * timer is disarmed. An interrupt may also end in a softirq, which goes on.
 *
 * Context: the idle task, or the end of an interrupt in it, with interrupts off.
 */
static __always_inline void fastterm_idle_begins(void)
{
	if (unlikely(__this_cpu_read(fastterm_armed)) && !in_interrupt())
		fastterm_disarm();
}

/**
 * fastterm_idle_ends() - watch this CPU again
 * @alone: no CPU has a tick
 *
 * Called when the CPU is about to leave the idle task.
 *
 * Context: the idle task, with interrupts off.
 */
static __always_inline void fastterm_idle_ends(bool alone)
{
	if (alone && READ_ONCE(fastterm_nmi_arms))
		fastterm_nmi_wakes(true);
}

/**
 * fastterm_sleeps() - no NMI is to wake this CPU
 *
 * Called right before the CPU sleeps, when no program can run on it any more.
 *
 * Context: the idle task, with interrupts off.
 */
static __always_inline void fastterm_sleeps(void)
{
	if (READ_ONCE(fastterm_nmi_arms))
		fastterm_nmi_sleeps();
}

/**
 * fastterm_wakes() - undo fastterm_sleeps()
 *
 * Context: the idle task, with interrupts off.
 */
static __always_inline void fastterm_wakes(void)
{
	if (READ_ONCE(fastterm_nmi_arms))
		fastterm_nmi_wakes(false);
}

/**
 * fastterm_idle_interrupted() - have somebody look what an interrupt runs
 * @timekeeper: the CPU that has a tick and keeps the time, and that looks; negative if there is
 *		none
 *
 * Called at the beginning of an interrupt while this CPU's tick is stopped.
 *
 * Context: hardirq, with interrupts off.
 */
static __always_inline void fastterm_idle_interrupted(int timekeeper)
{
	if (atomic_read(&fastterm_nr_stoppable))
		fastterm_arm(timekeeper);
}

/**
 * fastterm_last_awake() - have CPUs look after themselves, since this one will not
 *
 * Called when the CPU that keeps the time stops its tick, after it has said so. A CPU that an
 * interrupt has kept from sleeping may have relied on this one.
 *
 * Context: the idle task, with interrupts off.
 */
static __always_inline void fastterm_last_awake(void)
{
	if (atomic_read(&fastterm_nr_stoppable))
		fastterm_wake_watch();
}

#else

#define fastterm_idle_begins()		do { } while (0)
#define fastterm_idle_ends(...)		do { } while (0)
#define fastterm_sleeps()		do { } while (0)
#define fastterm_wakes()		do { } while (0)
#define fastterm_idle_interrupted(...)	do { } while (0)
#define fastterm_last_awake()		do { } while (0)

#endif /* CONFIG_BPF_FASTTERM_WATCHDOG */

#endif /* _LINUX_FASTTERM_H */
