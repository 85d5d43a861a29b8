/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the generic part share.
 */
#ifndef _BPF_FASTTERM_INTERNAL_H
#define _BPF_FASTTERM_INTERNAL_H

#include <linux/bpf.h>
#include <linux/cache.h>
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/fastterm_types.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched/clock.h>
#include <linux/types.h>

/**
 * enum fastterm_kind - what a site is
 * @FASTTERM_NO_SITE: not one
 * @FASTTERM_HELPER: call of a helper
 * @FASTTERM_KFUNC: call of a kernel function
 * @FASTTERM_SUBPROG: call of another function of the program, which has a stub
 *		      image of its own and is skipped if it is a global one
 * @FASTTERM_TAIL_CALL: tail call, which is not taken
 * @FASTTERM_LOOP: the test of a loop that the verifier itself put there, and
 *		   whose exit it has explored: the exit is taken
 */
enum fastterm_kind {
	FASTTERM_NO_SITE,
	FASTTERM_HELPER,
	FASTTERM_KFUNC,
	FASTTERM_SUBPROG,
	FASTTERM_TAIL_CALL,
	FASTTERM_LOOP,
};

/**
 * enum fastterm_why - why an instruction is kept
 * @FASTTERM_SKIP: it is not
 * @FASTTERM_UNSEEN: the verifier never visited it, or has since replaced it by
 *		     something else
 * @FASTTERM_RELEASES: it releases or consumes a reference
 * @FASTTERM_ACQUIRES: it acquires a reference and has no result that says it
 *		       did not
 * @FASTTERM_LOCKS: it takes or drops a lock, or enters or leaves a section
 * @FASTTERM_OBJECT: it constructs, changes or destroys an iterator or a dynptr
 * @FASTTERM_FILLS: it fills memory in a way that a stub cannot do for it
 * @FASTTERM_RESULT: no value that says failure is among its results
 * @FASTTERM_NO_RETURN: it does not return here
 * @FASTTERM_SUBPROG_CALL: the function has a stub image of its own
 * @FASTTERM_TOO_MANY: more references are held than we compare
 */
enum fastterm_why {
	FASTTERM_SKIP,
	FASTTERM_UNSEEN,
	FASTTERM_RELEASES,
	FASTTERM_ACQUIRES,
	FASTTERM_LOCKS,
	FASTTERM_OBJECT,
	FASTTERM_FILLS,
	FASTTERM_RESULT,
	FASTTERM_NO_RETURN,
	FASTTERM_SUBPROG_CALL,
	FASTTERM_TOO_MANY,
};

/**
 * enum fastterm_value - what a stub may return, the best first
 * @FASTTERM_NULL: a pointer that is NULL
 * @FASTTERM_ECANCELED: -ECANCELED
 * @FASTTERM_EPERM: -1, where the errno above is out of range
 * @FASTTERM_ZERO: 0
 * @FASTTERM_ONE: 1, with which a callback says "stop"
 * @FASTTERM_VALUES: their number
 */
enum fastterm_value {
	FASTTERM_NULL,
	FASTTERM_ECANCELED,
	FASTTERM_EPERM,
	FASTTERM_ZERO,
	FASTTERM_ONE,
	FASTTERM_VALUES,
};

/**
 * enum fastterm_long - why a program can run for long, the most telling first
 * @FASTTERM_SHORT: it cannot, and gets no image
 * @FASTTERM_CALLBACK: it hands a callback to a function that iterates
 * @FASTTERM_ITERATOR: it has an open-coded iterator
 * @FASTTERM_MAY_GOTO: it has a may_goto
 * @FASTTERM_TAIL: it has a tail call
 * @FASTTERM_BACK_EDGE: it jumps back, and the verifier's walk does not bound how often
 * @FASTTERM_SLEEPABLE: it may sleep
 */
enum fastterm_long {
	FASTTERM_SHORT,
	FASTTERM_CALLBACK,
	FASTTERM_ITERATOR,
	FASTTERM_MAY_GOTO,
	FASTTERM_TAIL,
	FASTTERM_BACK_EDGE,
	FASTTERM_SLEEPABLE,
};

/**
 * enum fastterm_absence - why a program has no stub images
 * @FASTTERM_PRESENT: it has
 * @FASTTERM_UNSUPPORTED: the machine cannot terminate programs
 * @FASTTERM_NOT_JITED: it is no machine code of this machine's processors
 * @FASTTERM_OFF: images were switched off when it was loaded
 * @FASTTERM_NOT_NEEDED: it cannot run for long
 * @FASTTERM_NO_MEMORY: there was none for them
 * @FASTTERM_NO_LOOP_EXIT: the test of a loop was not found in its code
 * @FASTTERM_TOO_LARGE: a function is larger than its calls reach
 * @FASTTERM_CODE: its code has an instruction that we cannot copy
 * @FASTTERM_ABSENCES: their number
 */
enum fastterm_absence {
	FASTTERM_PRESENT,
	FASTTERM_UNSUPPORTED,
	FASTTERM_NOT_JITED,
	FASTTERM_OFF,
	FASTTERM_NOT_NEEDED,
	FASTTERM_NO_MEMORY,
	FASTTERM_NO_LOOP_EXIT,
	FASTTERM_TOO_LARGE,
	FASTTERM_CODE,
	FASTTERM_ABSENCES,
};

/**
 * enum fastterm_mode - which programs get stub images: kernel.bpf_fastterm
 * @FASTTERM_MODE_OFF: none
 * @FASTTERM_MODE_NEEDED: those that can run for long
 * @FASTTERM_MODE_ALL: all
 */
enum fastterm_mode {
	FASTTERM_MODE_OFF,
	FASTTERM_MODE_NEEDED,
	FASTTERM_MODE_ALL,
};

/**
 * struct fastterm_site - an instruction that is decided upon
 * @insn: its index in the program as the verifier left it, "xlated"
 * @func: the function it is in
 * @jump: how many jumps and calls precede it in that function; constant
 *	  blinding renumbers instructions, and keeps these in their order
 * @code: its opcode, by which it is known again
 * @native: where in the image of the function it is; 0 before there is one
 * @decision: what becomes of it
 * @value: the enum fastterm_value that the stub returns if it is skipped
 */
struct fastterm_site {
	u32 insn;
	u32 func;
	u32 jump;
	u32 native;
	struct fastterm_decision decision;
	u8 code;
	u8 value;
};

/**
 * struct fastterm_prog - what we know of a program
 * @why_long: why it can run for long
 * @loops: it may go round in its own code, where nobody asks whether to stop
 * @absence: why it has no images
 * @stays: nobody refers to the program any more, and it is visible as long as it may run
 * @prog: the program, which is freed with this
 * @id: the program's, once it is published
 * @nr_funcs: number of its functions
 * @images: for each function its stub image, NULL if there are none
 * @dentry: what debugfs shows of it
 * @nr_sites: number of @sites
 * @sites: its sites, by @insn
 */
struct fastterm_prog {
	enum fastterm_long why_long;
	bool loops;
	enum fastterm_absence absence;
	bool stays;
	struct bpf_prog *prog;
	u32 id;
	u32 nr_funcs;
	struct fastterm_image **images;
	struct dentry *dentry;
	u32 nr_sites;
	struct fastterm_site sites[] __counted_by(nr_sites);
};

/**
 * struct fastterm_place - where the JIT has put a jump or a call
 * @start: offset of its first byte in the image
 * @end: offset behind its last byte
 * @target: the address that is called; or for a jump, the offset it goes to,
 *	    0 if unknown
 * @code: its opcode
 */
struct fastterm_place {
	u32 start;
	u32 end;
	u8 code;
	unsigned long target;
};

/**
 * struct fastterm_layout - where the JIT has put a function's jumps and calls
 * @nr: number of @places
 * @places: in the order of the instructions
 */
struct fastterm_layout {
	u32 nr;
	struct fastterm_place places[] __counted_by(nr);
};

/**
 * struct fastterm_image - the stub image of a function
 * @known: what is known of the program
 * @code: its first byte, which corresponds to the first of the image
 * @size: its size, with everything behind the code
 * @shadow: what the rest of the kernel takes for a program of its own, so that
 *	    symbols, unwinding and faults work in it
 * @nr_unsafe: number of @unsafe
 * @unsafe: the boundaries that are no safepoints: what comes before them and what
 *	    comes behind make up one address, in parts that differ
 */
struct fastterm_image {
	const struct fastterm_prog *known;
	u8 *code;
	u32 size;
	struct bpf_prog *shadow;
	u32 nr_unsafe;
	u32 unsafe[] __counted_by(nr_unsafe);
};

/**
 * struct fastterm_tag - an activation whose base frame returns to the tag
 * @known: what is known of its program
 * @id: the program's
 * @task: in which it runs
 * @sp: stack pointer behind the return of its base frame
 * @back: where that return would have gone
 * @ran_ns: for how long it has been seen running, for whoever watches it
 * @leaving: it has been redirected
 *
 * Of the CPU on which it runs, and changed there alone. Aligned, so that its number in the
 * CPU's table is found by a shift.
 */
struct fastterm_tag {
	const struct fastterm_prog *known;
	u32 id;
	const struct task_struct *task;
	unsigned long sp;
	unsigned long back;
	u64 ran_ns;
	bool leaving;
} ____cacheline_aligned;

/**
 * enum fastterm_state - of the termination on a CPU
 * @FASTTERM_IDLE: there was none yet
 * @FASTTERM_CLAIMED: somebody is about to request one
 * @FASTTERM_WANTED: the program has not been found yet
 * @FASTTERM_LEAVING: it has, and its base frame is tagged
 * @FASTTERM_GONE: it has left
 * @FASTTERM_LOST: it was not found, and is no longer looked for
 *
 *	IDLE --> CLAIMED --> WANTED --> LEAVING --> GONE
 *	            ^          | |                   | ^
 *	            |          | `-------------------|-'
 *	            |          `------> LOST         |
 *	            `---------------------+----------'
 *
 * Requesters, on any CPU, compete for CLAIMED; the rest is done on the CPU itself. What is
 * LEAVING and cannot go on, being interrupted, preempted or asleep, gives way to another
 * activation on its CPU. It leaves all the same, and is counted, but nobody is told; should
 * a function of the kernel go on calling it, it is suspected anew.
 */
enum fastterm_state {
	FASTTERM_IDLE,
	FASTTERM_CLAIMED,
	FASTTERM_WANTED,
	FASTTERM_LEAVING,
	FASTTERM_GONE,
	FASTTERM_LOST,
};

/**
 * struct fastterm_activation - the activation that is terminated on a CPU
 * @state: enum fastterm_state
 * @known: what is known of the program; not to be followed once it has left
 * @tag: its tag; NULL while any activation of the program will do
 * @outcome: what is to be told of it
 * @since: when the last of the outcome's times began, by sched_clock(), in ns
 * @level: context in which it runs, as interrupt_context_level() numbers them
 * @requests: how many there have been
 * @taken: the CPU has taken an ordinary kick since the last request
 * @complete: every frame has been moved
 * @unfinished: kicks in a row that could not do all
 * @busy: a kick is at work on it; an NMI may interrupt that
 * @flag: this CPU's fastterm_leaving
 * @walk: where this CPU's kicks keep what they find
 * @timer: the next kick, if the last one could not do all
 * @tick: the next kick otherwise, with the tick
 * @soon: arms @timer out of an NMI
 */
struct fastterm_activation {
	atomic_t state;
	const struct fastterm_prog *known;
	struct fastterm_tag *tag;
	struct fastterm_outcome outcome;
	u64 since;
	u8 level;
	u32 requests;
	bool taken;
	bool complete;
	u32 unfinished;
	bool busy;
	bool *flag;
	struct fastterm_walk *walk;
	struct hrtimer timer;
	struct irq_work tick;
	struct irq_work soon;
};

DECLARE_PER_CPU(struct fastterm_activation, fastterm_activation);

/*
 * The time since then; and now is then. Another CPU, which has made the request, may
 * have been ahead of this one. The clock is one whose reading nobody can trace or probe:
 * a program attached to it would run while nothing can be terminated on this CPU.
 */
static inline u64 fastterm_lap(struct fastterm_activation *a)
{
	u64 now = sched_clock_noinstr(), since = a->since;

	a->since = now;
	return now > since ? now - since : 0;
}

/* By preempt_count(): what interrupt_context_level() says of the present context. */
static inline u8 fastterm_level(unsigned long count)
{
	return !!(count & NMI_MASK) + !!(count & (NMI_MASK | HARDIRQ_MASK)) +
	       !!(count & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET));
}

/* Is this a return to a tag? */
static inline bool fastterm_is_tag(const struct fastterm_slot *slot)
{
	return slot->ip == (unsigned long)fastterm_arch_exit;
}

extern int fastterm_mode;

/* What the watchdog is told, in ms; see sysctl.rst. */
extern unsigned int fastterm_budget_ms, fastterm_sleepable_budget_ms, fastterm_period_ms;
void fastterm_watchdog_update(void);

#ifdef CONFIG_BPF_FASTTERM_WATCHDOG
void fastterm_watchdog_left(const struct fastterm_outcome *outcome);
#else
static inline void fastterm_watchdog_left(const struct fastterm_outcome *outcome) { }
#endif

/* Programs that something is kept with: what is loaded, and not yet freed. */
extern atomic_t fastterm_nr_progs;

/* Bytes of text that stub images have. */
extern atomic_long_t fastterm_text;

/* Programs that were loaded since boot, by why they have no images. */
extern atomic_t fastterm_loads[FASTTERM_ABSENCES];

static inline u32 fastterm_nr_funcs(const struct bpf_prog *prog)
{
	return prog->aux->real_func_cnt ? : 1;
}

static inline struct bpf_prog *fastterm_func(struct bpf_prog *prog, u32 i)
{
	return prog->aux->real_func_cnt ? prog->aux->func[i] : prog;
}

struct pt_regs;
struct seq_file;

bool fastterm_is_safepoint(const struct fastterm_image *image, u32 off);
struct fastterm_tag *fastterm_tag_at(unsigned long sp);
void fastterm_tag_free(const struct fastterm_tag *tag);
struct fastterm_tag *fastterm_tag_slot(const struct fastterm_slot *slot,
				       const struct fastterm_prog *known);
struct fastterm_tag *fastterm_suspect(struct pt_regs *regs);
int fastterm_terminate_tag(struct fastterm_tag *tag);
void fastterm_cut_loops(int cpu, bool cut);
void fastterm_hears(void);

/* Is told of the registers that a visit has interrupted. */
typedef void (*fastterm_visitor_fn)(struct pt_regs *regs);
fastterm_visitor_fn fastterm_visit_by(fastterm_visitor_fn visitor);
void fastterm_visit(int cpu, bool insist);
u8 fastterm_interrupted_level(struct pt_regs *regs);
void fastterm_redirect_init(struct fastterm_activation *activation, int cpu);
int fastterm_redirect(struct fastterm_activation *activation, struct pt_regs *regs);
void *fastterm_stub(enum fastterm_value value, u8 fill);
int fastterm_images_build(struct bpf_prog *prog, struct fastterm_prog *known);
void fastterm_images_publish(struct fastterm_prog *known);
void fastterm_images_hide(struct fastterm_prog *known);
void fastterm_images_free(struct fastterm_prog *known);
void fastterm_show(struct seq_file *m, const struct fastterm_prog *known);
void fastterm_show_loads(struct seq_file *m);
void fastterm_show_add(struct fastterm_prog *known);
void fastterm_show_remove(struct fastterm_prog *known);

#endif /* _BPF_FASTTERM_INTERNAL_H */
