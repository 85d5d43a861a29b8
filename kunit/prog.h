/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF programs and maps for KUnit test cases
 *
 * A suite writes its programs as arrays of instructions and loads them here
 * through kern_sys_bpf(): what runs has passed the real verifier and the real
 * JIT, as if a process had loaded it.
 *
 *	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
 *	struct bpf_insn insns[] = {
 *		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
 *		...
 *		BPF_EXIT_INSN(),
 *	};
 *	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
 *
 *	KUNIT_EXPECT_EQ(test, ftk_run(prog, ctx), 42);
 *
 * Everything that a test case gets here is released when the case ends. What
 * cannot be had fails the case at once, so there is no error to handle. The
 * functions that take @test are called from the thread of the test case, whose
 * kernel credentials and file table the loads use.
 *
 * The prefix is for "fastterm kunit".
 */
#ifndef _BPF_FASTTERM_KUNIT_PROG_H
#define _BPF_FASTTERM_KUNIT_PROG_H

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/types.h>

struct kunit;
struct perf_event;
struct perf_event_attr;
struct ftk_map;

/*
 * The types that the BTF of every program has, for the fields that maps and
 * allocated objects may have only with BTF.
 */

/**
 * struct ftk_node - what bpf_obj_new(FTK_TYPE_NODE) allocates
 * @list: node of a list
 * @rb: node of a tree
 * @refs: makes it possible to be in both
 */
struct ftk_node {
	struct bpf_list_node list;
	struct bpf_rb_node rb;
	struct bpf_refcount refs;
};

/**
 * struct ftk_value - the value in a map of ftk_map_typed()
 * @lock: guards @head and @root
 * @head: list of &struct ftk_node, by ftk_node.list
 * @root: tree of &struct ftk_node, by ftk_node.rb
 * @task: a kptr, which the map holds a reference for
 * @timer: a timer
 * @data: nothing special
 */
struct ftk_value {
	struct bpf_spin_lock lock;
	struct bpf_list_head head;
	struct bpf_rb_root root;
	struct task_struct *task;
	struct bpf_timer timer;
	u64 data;
};

/* Their ids, and those of what they are made of. */
enum ftk_type {
	FTK_TYPE_INT = 1,
	FTK_TYPE_PROTO,
	FTK_TYPE_SPIN_LOCK,
	FTK_TYPE_LIST_HEAD,
	FTK_TYPE_LIST_NODE,
	FTK_TYPE_RB_ROOT,
	FTK_TYPE_RB_NODE,
	FTK_TYPE_REFCOUNT,
	FTK_TYPE_TIMER,
	FTK_TYPE_TASK,
	FTK_TYPE_TASK_KPTR,
	FTK_TYPE_TASK_PTR,
	FTK_TYPE_NODE,
	FTK_TYPE_VALUE,
	FTK_TYPE_HEAD_TAG,
	FTK_TYPE_ROOT_TAG,
	FTK_TYPE_INT_PTR,
	FTK_TYPE_FILLER,
	FTK_TYPE_FUNC,
};

/**
 * struct ftk_opts - how to load a program, where it is not the usual way
 * @type: program type; BPF_PROG_TYPE_RAW_TRACEPOINT if left 0
 * @expected_attach_type: as bpf(2) has it
 * @flags: BPF_F_SLEEPABLE and the like
 * @globals: bit n set: the function that is the n-th by its place in the
 *	     program is a global one, which the verifier checks on its own.
 *	     The entry is function 0 and always global.
 * @fillers: bit n set: that function is handed an int * that it may write to
 * @name: name of the program; that of the test case if NULL
 * @target: a program of ftk_load() whose main function it is attached to by
 *	    ftk_attach(), or NULL
 * @func: a function of the kernel that it is attached to instead, or for BPF_TRACE_RAW_TP
 *	  the type of a tracepoint's, or NULL
 * @lines: tell the kernel where each instruction is, so that the JIT says where it has
 *	   put it: bpf_prog_aux.jited_linfo
 * @types: a map of ftk_map_typed() whose BTF the program uses in place of one of
 *	   its own; then it has at most four functions, all but the entry static
 * @no_perfmon: the loader has no CAP_PERFMON, and the verifier makes the program safe from
 *		speculation of the processor's
 * @log: somebody asks for the verifier's log
 */
struct ftk_opts {
	enum bpf_prog_type type;
	enum bpf_attach_type expected_attach_type;
	u32 flags;
	u32 globals;
	u32 fillers;
	const char *name;
	struct bpf_prog *target;
	const char *func;
	bool lines;
	const struct ftk_map *types;
	bool no_perfmon;
	bool log;
};

/**
 * struct ftk_map - a map that exists until the test case ends
 * @map: the map
 * @fd: its descriptor, for BPF_LD_MAP_FD() and kern_sys_bpf(); 0 is a valid one
 * @btf_fd: descriptor of its types, of a map of ftk_map_typed()
 */
struct ftk_map {
	struct bpf_map *map;
	int fd;
	int btf_fd;
};

struct bpf_prog *ftk_load(struct kunit *test, const struct bpf_insn *insns,
			  u32 cnt, const struct ftk_opts *opts);
int ftk_load_errno(struct kunit *test, const struct bpf_insn *insns, u32 cnt,
		   const struct ftk_opts *opts);
struct bpf_prog *ftk_load_counter(struct kunit *test, const struct ftk_map *count,
				  const struct ftk_opts *opts);
void ftk_unload(struct kunit *test, struct bpf_prog *prog);
int ftk_drain(void);

void ftk_patching_begin(void);
void ftk_patching_end(void);

int ftk_prog_fd(struct kunit *test, struct bpf_prog *prog);
void ftk_attach(struct kunit *test, struct bpf_prog *prog);
struct perf_event *ftk_attach_event(struct kunit *test, struct bpf_prog *prog,
				    struct perf_event_attr *attr, int cpu);
void ftk_free_event(void *event);
void ftk_attach_kprobe(struct kunit *test, struct bpf_prog *prog, unsigned long addr);
void ftk_attach_kprobe_multi(struct kunit *test, struct bpf_prog *prog, unsigned long func);
u32 ftk_run(const struct bpf_prog *prog, const void *ctx);
unsigned long ftk_probed(unsigned long func);

/*
 * The call of a helper. BPF_EMIT_CALL() is for what the verifier has left
 * behind: it holds the helper's address and not its number.
 */
#define FTK_CALL(func_id) \
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, func_id)

struct bpf_insn ftk_kfunc(struct kunit *test, const char *name);
void ftk_need_callbacks(struct kunit *test);
void ftk_need_exceptions(struct kunit *test);

struct ftk_map ftk_map(struct kunit *test, enum bpf_map_type type, u32 key_size,
		       u32 value_size, u32 max_entries, u32 flags);
struct ftk_map ftk_map_typed(struct kunit *test);
void ftk_map_update(struct kunit *test, const struct ftk_map *m,
		    const void *key, const void *value);
bool ftk_map_lookup(const struct ftk_map *m, const void *key, void *value);

/* Defined in kernel/bpf/syscall.c; no header of the kernel declares it. */
int kern_sys_bpf(int cmd, union bpf_attr *attr, unsigned int size);

#endif /* _BPF_FASTTERM_KUNIT_PROG_H */
