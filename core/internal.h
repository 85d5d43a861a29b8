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
#include <linux/filter.h>
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
 * @FASTTERM_KINDS: their number
 */
enum fastterm_kind {
	FASTTERM_NO_SITE,
	FASTTERM_HELPER,
	FASTTERM_KFUNC,
	FASTTERM_SUBPROG,
	FASTTERM_TAIL_CALL,
	FASTTERM_LOOP,
	FASTTERM_KINDS,
};

/**
 * enum fastterm_why - why an instruction is kept
 * @FASTTERM_SKIP: it is not
 * @FASTTERM_UNSEEN: the verifier never visited it, or has since replaced it by
 *		     something else
 * @FASTTERM_RELEASES: it releases or consumes a reference
 * @FASTTERM_LOCKS: it takes or drops a lock, or enters or leaves a section
 * @FASTTERM_OBJECT: it constructs, changes or destroys an iterator or a dynptr
 * @FASTTERM_FILLS: it fills memory in a way that a stub cannot do for it
 * @FASTTERM_RESULT: no value that says failure is among its results
 * @FASTTERM_NO_RETURN: it does not return here
 * @FASTTERM_SUBPROG_CALL: the function has a stub image of its own
 * @FASTTERM_INLINED: verifier or JIT put instructions in its place
 * @FASTTERM_WHYS: their number
 */
enum fastterm_why {
	FASTTERM_SKIP,
	FASTTERM_UNSEEN,
	FASTTERM_RELEASES,
	FASTTERM_LOCKS,
	FASTTERM_OBJECT,
	FASTTERM_FILLS,
	FASTTERM_RESULT,
	FASTTERM_NO_RETURN,
	FASTTERM_SUBPROG_CALL,
	FASTTERM_INLINED,
	FASTTERM_WHYS,
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

/* The flag in fastterm_decision.fill that some memory has to be filled. */
#define FASTTERM_FILL	BIT(0)

/* The argument whose memory the stub zeroes. */
static inline u8 fastterm_fill_arg(const struct fastterm_decision *d)
{
	return __ffs(d->fill & ~FASTTERM_FILL);
}

/* What the stub returns for a call that is skipped. */
static inline enum fastterm_value fastterm_result(const struct fastterm_decision *d)
{
	if ((d->fill & FASTTERM_FILL) || !d->values)
		return FASTTERM_ECANCELED;
	return __ffs(d->values);
}

/* Nobody can look at what it returns. */
static inline bool fastterm_returns_nothing(const struct fastterm_decision *d)
{
	return d->values == BIT(FASTTERM_VALUES) - 1 && !(d->fill & FASTTERM_FILL);
}

/* Do two decisions let the stub image do the same? */
static inline bool fastterm_same_action(const struct fastterm_decision *a,
					const struct fastterm_decision *b)
{
	if (a->why || b->why)
		return a->why && b->why;
	if (a->kind != b->kind || (a->fill ^ b->fill) & FASTTERM_FILL)
		return false;
	return a->fill & FASTTERM_FILL ? fastterm_fill_arg(a) == fastterm_fill_arg(b) :
					 fastterm_result(a) == fastterm_result(b);
}

/**
 * enum fastterm_refusal - what is wrong with a program's stub image
 * @FASTTERM_REFUSED_NOT: nothing
 * @FASTTERM_REFUSED_VERIFIER: what the verifier says
 * @FASTTERM_REFUSED_LIMIT: it takes the verifier too many instructions
 * @FASTTERM_REFUSED_MEMORY: there was none to explore it
 * @FASTTERM_REFUSED_CHANGED: decisions did not come to rest
 * @FASTTERM_REFUSED_ALONE: it reaches an instruction that the program does not
 * @FASTTERM_REFUSED_OTHER: an instruction stands for something else in it
 * @FASTTERM_REFUSED_MORE: it needs what the program does not: of the stack, of the context
 * @FASTTERM_REFUSED_LOST: an instruction was rewritten, and is not what was decided on
 * @FASTTERM_REFUSED_UNBOUNDED: nothing bounds how long it runs
 * @FASTTERM_REFUSALS: their number
 */
enum fastterm_refusal {
	FASTTERM_REFUSED_NOT,
	FASTTERM_REFUSED_VERIFIER,
	FASTTERM_REFUSED_LIMIT,
	FASTTERM_REFUSED_MEMORY,
	FASTTERM_REFUSED_CHANGED,
	FASTTERM_REFUSED_ALONE,
	FASTTERM_REFUSED_OTHER,
	FASTTERM_REFUSED_MORE,
	FASTTERM_REFUSED_LOST,
	FASTTERM_REFUSED_UNBOUNDED,
	FASTTERM_REFUSALS,
};

/**
 * struct fastterm_run - instructions that were run one after the other
 * @insn: the first one
 * @nr: their number
 */
struct fastterm_run {
	u32 insn;
	u32 nr;
};

/**
 * struct fastterm_node - a node of a trace
 * @parent: its parent
 * @first: the first of its runs
 * @nr: their number
 * @cover: a node that says what comes after its runs; 0 if none does
 * @open: how many states or nodes below it are not complete
 * @entry: of which function that is explored on its own
 * @apart: it is not on a way from its parent
 * @loops: @cover was not complete: the verifier has closed a loop
 * @returns: it ends where a callback returns to a call that is kept
 */
struct fastterm_node {
	u32 parent;
	u32 first;
	u32 nr;
	u32 cover;
	u32 open;
	u16 entry;
	bool apart;
	bool loops;
	bool returns;
};

/**
 * struct fastterm_trace - which ways there are through a program and its stub image
 * @nodes: the nodes
 * @nr_nodes: their number
 * @max_nodes: and for how many there is room
 * @runs: what nodes have run
 * @nr_runs: see @nr_nodes
 * @max_runs: see @max_nodes
 * @order: nodes in the order in which they have become complete
 * @nr_order: see @nr_nodes
 * @max_order: see @max_nodes
 * @starts: the first instructions of the functions that have been explored on their own,
 *	    from 1
 * @nr_entries: how many have been
 * @max_entries: see @max_nodes
 * @callees: for each instruction of the program as it was loaded, which of these functions it
 *	     calls in the stub image; CALLS_BACK if the function of the kernel that it calls
 *	     there runs a callback; 0 if neither
 * @failed: there was no memory for it
 */
struct fastterm_trace {
	struct fastterm_node *nodes;
	u32 nr_nodes;
	u32 max_nodes;
	struct fastterm_run *runs;
	u32 nr_runs;
	u32 max_runs;
	u32 *order;
	u32 nr_order;
	u32 max_order;
	u32 *starts;
	u32 nr_entries;
	u32 max_entries;
	u16 *callees;
	bool failed;
};

/* A kernel function that runs a callback, in the place of where a function starts. */
#define FASTTERM_CALLBACK_OF	U32_MAX

/**
 * struct fastterm_loop - what is run most often in the longest run of a stub image
 * @times: how often; 0 if nothing is run more than once
 * @first: its first instruction, in the program as it was loaded
 * @last: its last one
 */
struct fastterm_loop {
	u32 times;
	u32 first;
	u32 last;
};

/**
 * struct fastterm_verdict - what came of the check of a program's stub image
 * @why: what is wrong with it
 * @insn: where, in the program as it was loaded
 * @sentence: the last sentence of the verifier's about the stub image
 * @insns: instructions that the verifier has looked at in the original
 * @stub_insns: and in the stub image
 * @again: decisions have changed, and both were explored once more
 * @alone: the original was explored once more on its own
 * @calls_global: the program calls a global function
 * @unbounded: nothing bounds how long the stub image runs
 * @bound: after a redirect, the most instructions until the program has left
 * @native_bound: the same in native instructions; 0 if it is not known
 * @calls: and the most calls that are kept
 * @loop: what takes most of it
 */
struct fastterm_verdict {
	enum fastterm_refusal why;
	u32 insn;
	char sentence[FASTTERM_SENTENCE];
	u32 insns;
	u32 stub_insns;
	bool again;
	bool alone;
	bool calls_global;
	bool unbounded;
	u32 bound;
	u32 native_bound;
	u32 calls;
	struct fastterm_loop loop;
};

/**
 * struct fastterm_checked - a verdict, and what it holds for
 * @verdict: the verdict
 * @trace: how it was reached
 * @nr: number of @assumed
 * @assumed: for each instruction of the program as it was loaded, fastterm_assumption()
 */
struct fastterm_checked {
	struct fastterm_verdict verdict;
	struct fastterm_trace trace;
	u32 nr;
	u8 assumed[] __counted_by(nr);
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
 * @FASTTERM_LONGS: their number
 */
enum fastterm_long {
	FASTTERM_SHORT,
	FASTTERM_CALLBACK,
	FASTTERM_ITERATOR,
	FASTTERM_MAY_GOTO,
	FASTTERM_TAIL,
	FASTTERM_BACK_EDGE,
	FASTTERM_SLEEPABLE,
	FASTTERM_LONGS,
};

/**
 * enum fastterm_absence - why a program has no stub images
 * @FASTTERM_PRESENT: it has
 * @FASTTERM_UNSUPPORTED: the machine cannot terminate programs
 * @FASTTERM_NOT_JITED: it is no machine code of this machine's processors
 * @FASTTERM_OFF: images were switched off when it was loaded
 * @FASTTERM_NOT_NEEDED: it cannot run for long
 * @FASTTERM_NO_MEMORY: there was none for them
 * @FASTTERM_NOT_FOUND: what is to be skipped was not found in its code
 * @FASTTERM_TOO_LARGE: a function is larger than its calls reach
 * @FASTTERM_CODE: its code has an instruction that we cannot copy
 * @FASTTERM_UNSOUND: the verifier does not accept its stub image
 * @FASTTERM_NO_RULES: a function's prologue or epilogue is not understood
 * @FASTTERM_ABSENCES: their number
 */
enum fastterm_absence {
	FASTTERM_PRESENT,
	FASTTERM_UNSUPPORTED,
	FASTTERM_NOT_JITED,
	FASTTERM_OFF,
	FASTTERM_NOT_NEEDED,
	FASTTERM_NO_MEMORY,
	FASTTERM_NOT_FOUND,
	FASTTERM_TOO_LARGE,
	FASTTERM_CODE,
	FASTTERM_UNSOUND,
	FASTTERM_NO_RULES,
	FASTTERM_ABSENCES,
};

/**
 * enum fastterm_mode - which programs get stub images: kernel.bpf_fastterm
 * @FASTTERM_MODE_OFF: none
 * @FASTTERM_MODE_NEEDED: those that can run for long
 * @FASTTERM_MODE_ALL: all
 * @FASTTERM_MODES: their number
 */
enum fastterm_mode {
	FASTTERM_MODE_OFF,
	FASTTERM_MODE_NEEDED,
	FASTTERM_MODE_ALL,
	FASTTERM_MODES,
};

/**
 * struct fastterm_site - an instruction that is decided upon
 * @insn: its index in the program as the verifier left it, "xlated"
 * @func: the function it is in
 * @jump: how many jumps and calls precede it in that function; constant
 *	  blinding renumbers instructions, and keeps these in their order
 * @code: its opcode, by which it is known again
 * @native: where in the image of the function it is; 0 before there is one
 * @target: the function of the kernel that it calls; 0 if none, or before there is an image
 * @decision: what becomes of it
 * @value: the enum fastterm_value that the stub returns if it is skipped
 */
struct fastterm_site {
	u32 insn;
	u32 func;
	u32 jump;
	u32 native;
	unsigned long target;
	struct fastterm_decision decision;
	u8 code;
	u8 value;
};

/**
 * struct fastterm_prog - what we know of a program
 * @why_long: why it can run for long
 * @loops: it may go round in its own code, where nobody asks whether to stop
 * @absence: why it has no images
 * @verdict: what the verifier says of them
 * @trace: while the program is loaded, the ways through it
 * @nr_loaded: number of instructions of the program as it was loaded
 * @nr_ids: number of @ids
 * @ids: while the program is loaded, for each instruction that the verifier has left the
 *	 number of the one that it belongs to, in the program as it was loaded
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
	struct fastterm_verdict verdict;
	struct fastterm_trace trace;
	u32 nr_loaded;
	u32 nr_ids;
	u32 *ids;
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
 * @ends: for each instruction the offset in the image behind its native code
 * @natives: for each instruction how many native ones it has, once an image was made
 * @nr: number of @places
 * @places: in the order of the instructions
 */
struct fastterm_layout {
	u32 *ends;
	u32 *natives;
	u32 nr;
	struct fastterm_place places[] __counted_by(nr);
};

/**
 * struct fastterm_rules - the frame rules of a function
 * @nr: number of @row
 * @body: the rule that most of the function has
 * @body_off: the first offset for which it holds
 * @body_size: and for how many bytes it does
 * @row: the rules, in ascending order of their offsets
 */
struct fastterm_rules {
	u32 nr;
	const struct fastterm_rule *body;
	u32 body_off;
	u32 body_size;
	struct fastterm_rule row[] __counted_by(nr);
};

/**
 * struct fastterm_image - the stub image of a function
 * @fprog: what is known of the program
 * @main: it is that of the program's main function
 * @func: the function, as it is found by an address
 * @entry: the function's entry
 * @func_size: and its size from there
 * @rules: its frame rules
 * @code: its first byte, which corresponds to the first of the image
 * @size: its size, with everything behind the code
 * @shadow: what the rest of the kernel takes for a program of its own, so that
 *	    symbols, unwinding and faults work in it
 * @nr_unsafe: number of @unsafe
 * @unsafe: the boundaries that are no safepoints: what comes before them and what
 *	    comes behind make up one address, in parts that differ
 */
struct fastterm_image {
	const struct fastterm_prog *fprog;
	bool main;
	const struct bpf_prog *func;
	unsigned long entry;
	u32 func_size;
	const struct fastterm_rules *rules;
	u8 *code;
	u32 size;
	struct bpf_prog *shadow;
	u32 nr_unsafe;
	u32 unsafe[] __counted_by(nr_unsafe);
};

/**
 * struct fastterm_tag - an activation whose base frame returns to the tag
 * @fprog: what is known of its program
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
	const struct fastterm_prog *fprog;
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
 * @fprog: what is known of the program; not to be followed once it has left
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
 * @finds: where this CPU's kicks keep what they find
 * @timer: the next kick, if the last one could not do all
 * @tick: the next kick otherwise, with the tick
 * @soon: arms @timer out of an NMI
 */
struct fastterm_activation {
	atomic_t state;
	const struct fastterm_prog *fprog;
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
	struct fastterm_finds *finds;
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

/* Bytes of memory that frame rules have. */
extern atomic_long_t fastterm_rule_bytes;

/* For a function that the backend does not understand; NULL means that there was no memory. */
extern const struct fastterm_rules fastterm_no_rules;

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

struct bpf_verifier_env;
struct bpf_verifier_state;
struct pt_regs;
struct seq_file;

/* Does an instruction jump back? */
static inline bool fastterm_jumps_back(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	if (class != BPF_JMP && class != BPF_JMP32)
		return false;
	if (op == BPF_CALL || op == BPF_EXIT || insn->code == (BPF_JMP | BPF_TAIL_CALL))
		return false;
	return (insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off) < 0;
}

#ifdef CONFIG_BPF_FASTTERM_KUNIT_TEST
/* Bits of enum fastterm_why: reasons for which nothing is kept, as if the rule were wrong. */
extern unsigned long fastterm_blind;
#endif

void fastterm_keep(struct fastterm_decision *d, enum fastterm_why why, u8 arg);
bool fastterm_is_inlined(const struct bpf_verifier_env *env, const struct bpf_insn *insn);
void fastterm_decide(struct bpf_verifier_env *env, const struct bpf_verifier_state *before,
		     const struct bpf_insn *insn, struct fastterm_decision *d);
s64 fastterm_value(const struct fastterm_decision *d);
void fastterm_trace_begin(struct fastterm_trace *t);
void fastterm_trace_entry(struct fastterm_trace *t, u32 start);
void fastterm_trace_free(struct fastterm_trace *t);
void fastterm_trace_step(struct fastterm_trace *t, struct fastterm_vstate *st, u32 insn);
void fastterm_trace_back(struct fastterm_trace *t);
u32 fastterm_trace_node(struct fastterm_trace *t, const struct fastterm_vstate *st, u32 open);
void fastterm_trace_branch(struct fastterm_trace *t, struct fastterm_vstate *st,
			   struct fastterm_vstate *other);
void fastterm_trace_fork(struct fastterm_trace *t, struct fastterm_vstate *st);
void fastterm_trace_end(struct fastterm_trace *t, const struct fastterm_vstate *st, bool loops,
			bool returns);
void fastterm_trace_calls(struct fastterm_trace *t, u32 nr, u32 insn, u32 start);
u32 fastterm_trace_bound(const struct fastterm_trace *t, const u32 *weights, u32 nr,
			 struct fastterm_loop *loop);
void fastterm_bound(struct bpf_prog *prog, struct fastterm_prog *fprog);
void fastterm_rules_make(struct bpf_prog *prog, const u32 *ends);
void fastterm_rules_free(const struct fastterm_rules *rules);
void fastterm_layout_free(struct fastterm_layout *layout);
u8 fastterm_assumption(const struct fastterm_decision *d, bool calls_back);

bool fastterm_is_safepoint(const struct fastterm_image *image, u32 off);
struct fastterm_tag *fastterm_tag_at(unsigned long sp);
void fastterm_tag_free(const struct fastterm_tag *tag);
struct fastterm_slot;
struct fastterm_tag *fastterm_tag_slot(const struct fastterm_slot *slot,
				       const struct fastterm_prog *fprog);
struct fastterm_tag *fastterm_suspect(struct pt_regs *regs);
int fastterm_terminate_tag(struct fastterm_tag *tag, struct pt_regs *regs);
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
int fastterm_images_build(struct bpf_prog *prog, struct fastterm_prog *fprog);
void fastterm_images_publish(struct fastterm_prog *fprog);
void fastterm_images_hide(struct fastterm_prog *fprog);
void fastterm_images_free(struct fastterm_prog *fprog);
void fastterm_show(struct seq_file *m, const struct fastterm_prog *fprog);
void fastterm_show_loads(struct seq_file *m);
void fastterm_show_add(struct fastterm_prog *fprog);
void fastterm_show_remove(struct fastterm_prog *fprog);

#endif /* _BPF_FASTTERM_INTERNAL_H */
