// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF programs and maps for KUnit test cases; see prog.h
 *
 * Descriptors live in the file table that all kernel threads share, so the
 * thread in which KUnit releases a case's resources can close what the thread
 * of the case has opened.
 */

#include <linux/bitmap.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/capability.h>
#include <linux/cfi.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/ftrace.h>
#include <linux/iopoll.h>
#include <linux/kstrtox.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mman.h>
#include <linux/perf_event.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_trace.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/trace_events.h>
#include <linux/uaccess.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "../program.h"
#include "file.h"
#include "prog.h"

#define FTK_LOG_SIZE SZ_64K

/* How long the memory of a program that was put may take to be freed. */
#define FTK_DRAIN_US (10 * USEC_PER_SEC)

/* A program of a test case. KUnit runs one at a time, so nothing guards the list. */
struct ftk_prog {
	struct list_head node;
	struct bpf_prog *prog;
};

static LIST_HEAD(ftk_loaded);

/*
 * Type information for a program. The verifier takes callbacks and global
 * functions only from programs that say what type their functions have. All
 * functions get the same one, int f(int arg), but for those that fill memory,
 * int f(int *arg): that is checked for global functions only. The other types are those that prog.h describes; in the order
 * of enum ftk_type.
 */
struct ftk_types {
	struct btf_type integer;
	u32 integer_desc;
	struct btf_type proto;
	struct btf_param arg;
	struct btf_type spin_lock;
	struct btf_type list_head;
	struct btf_type list_node;
	struct btf_type rb_root;
	struct btf_type rb_node;
	struct btf_type refcount;
	struct btf_type timer;
	struct btf_type task;
	struct btf_type task_kptr;
	struct btf_type task_ptr;
	struct btf_type node;
	struct btf_member node_members[3];
	struct btf_type value;
	struct btf_member value_members[5];
	struct btf_type head_tag;
	struct btf_decl_tag head_tag_of;
	struct btf_type root_tag;
	struct btf_decl_tag root_tag_of;
	struct btf_type int_ptr;
	struct btf_type filler;
	struct btf_param filled;
};

struct ftk_btf {
	struct btf_header hdr;
	struct ftk_types types;
	struct btf_type func[];
	/* strings follow: char str[FTK_STR_FUNC + nr_funcs][FTK_STR_LEN] */
};

/* As long as the longest of the names below. */
#define FTK_STR_LEN 24

/* Functions of the programs that share the BTF of a map. */
#define FTK_SHARED_FUNCS 4

enum ftk_str {
	FTK_STR_NONE,
	FTK_STR_INT,
	FTK_STR_ARG,
	FTK_STR_SPIN_LOCK,
	FTK_STR_LIST_HEAD,
	FTK_STR_LIST_NODE,
	FTK_STR_RB_ROOT,
	FTK_STR_RB_NODE,
	FTK_STR_REFCOUNT,
	FTK_STR_TIMER,
	FTK_STR_TASK,
	FTK_STR_KPTR,
	FTK_STR_NODE,
	FTK_STR_VALUE,
	FTK_STR_LIST,
	FTK_STR_RB,
	FTK_STR_HEAD_TAG,
	FTK_STR_ROOT_TAG,
	FTK_STR_FUNC,
};

static const char ftk_strs[FTK_STR_FUNC][FTK_STR_LEN] = {
	[FTK_STR_INT] = "int",
	[FTK_STR_ARG] = "arg",
	[FTK_STR_SPIN_LOCK] = "bpf_spin_lock",
	[FTK_STR_LIST_HEAD] = "bpf_list_head",
	[FTK_STR_LIST_NODE] = "bpf_list_node",
	[FTK_STR_RB_ROOT] = "bpf_rb_root",
	[FTK_STR_RB_NODE] = "bpf_rb_node",
	[FTK_STR_REFCOUNT] = "bpf_refcount",
	[FTK_STR_TIMER] = "bpf_timer",
	[FTK_STR_TASK] = "task_struct",
	[FTK_STR_KPTR] = "kptr",
	[FTK_STR_NODE] = "ftk_node",
	[FTK_STR_VALUE] = "ftk_value",
	[FTK_STR_LIST] = "list",
	[FTK_STR_RB] = "rb",
	[FTK_STR_HEAD_TAG] = "contains:ftk_node:list",
	[FTK_STR_ROOT_TAG] = "contains:ftk_node:rb",
};

#define FTK_INFO(kind, vlen) (BTF_KIND_##kind << 24 | (vlen))

#define FTK_NAME(which) (FTK_STR_##which * FTK_STR_LEN)

/*
 * A structure of the kernel's, whose members nobody asks for. Some of the names
 * are macros too, so they are pasted right here.
 */
#define FTK_STRUCT(which, type) { \
	.name_off = FTK_STR_##which * FTK_STR_LEN, \
	.info = FTK_INFO(STRUCT, 0), \
	.size = sizeof(struct type), \
}

#define FTK_MEMBER(which, of, member, id) { \
	.name_off = FTK_STR_##which * FTK_STR_LEN, \
	.type = FTK_TYPE_##id, \
	.offset = BITS_PER_BYTE * offsetof(struct of, member), \
}

static const struct ftk_types ftk_types = {
	.integer = {
		.name_off = FTK_NAME(INT),
		.info = FTK_INFO(INT, 0),
		.size = sizeof(int),
	},
	.integer_desc = BTF_INT_SIGNED << 24 | BITS_PER_TYPE(int),
	.proto = { .info = FTK_INFO(FUNC_PROTO, 1), .type = FTK_TYPE_INT },
	.arg = { .name_off = FTK_NAME(ARG), .type = FTK_TYPE_INT },
	.spin_lock = FTK_STRUCT(SPIN_LOCK, bpf_spin_lock),
	.list_head = FTK_STRUCT(LIST_HEAD, bpf_list_head),
	.list_node = FTK_STRUCT(LIST_NODE, bpf_list_node),
	.rb_root = FTK_STRUCT(RB_ROOT, bpf_rb_root),
	.rb_node = FTK_STRUCT(RB_NODE, bpf_rb_node),
	.refcount = FTK_STRUCT(REFCOUNT, bpf_refcount),
	.timer = FTK_STRUCT(TIMER, bpf_timer),
	.task = FTK_STRUCT(TASK, task_struct),
	.task_kptr = {
		.name_off = FTK_NAME(KPTR),
		.info = FTK_INFO(TYPE_TAG, 0),
		.type = FTK_TYPE_TASK,
	},
	.task_ptr = { .info = FTK_INFO(PTR, 0), .type = FTK_TYPE_TASK_KPTR },
	.node = {
		.name_off = FTK_NAME(NODE),
		.info = FTK_INFO(STRUCT, 3),
		.size = sizeof(struct ftk_node),
	},
	.node_members = {
		FTK_MEMBER(LIST, ftk_node, list, LIST_NODE),
		FTK_MEMBER(RB, ftk_node, rb, RB_NODE),
		FTK_MEMBER(REFCOUNT, ftk_node, refs, REFCOUNT),
	},
	.value = {
		.name_off = FTK_NAME(VALUE),
		.info = FTK_INFO(STRUCT, 5),
		.size = sizeof(struct ftk_value),
	},
	.value_members = {
		FTK_MEMBER(SPIN_LOCK, ftk_value, lock, SPIN_LOCK),
		FTK_MEMBER(LIST_HEAD, ftk_value, head, LIST_HEAD),
		FTK_MEMBER(RB_ROOT, ftk_value, root, RB_ROOT),
		FTK_MEMBER(TASK, ftk_value, task, TASK_PTR),
		FTK_MEMBER(TIMER, ftk_value, timer, TIMER),
	},
	.head_tag = {
		.name_off = FTK_NAME(HEAD_TAG),
		.info = FTK_INFO(DECL_TAG, 0),
		.type = FTK_TYPE_VALUE,
	},
	.head_tag_of = { .component_idx = 1 },
	.root_tag = {
		.name_off = FTK_NAME(ROOT_TAG),
		.info = FTK_INFO(DECL_TAG, 0),
		.type = FTK_TYPE_VALUE,
	},
	.root_tag_of = { .component_idx = 2 },
	.int_ptr = { .info = FTK_INFO(PTR, 0), .type = FTK_TYPE_INT },
	.filler = { .info = FTK_INFO(FUNC_PROTO, 1), .type = FTK_TYPE_INT },
	.filled = { .name_off = FTK_NAME(ARG), .type = FTK_TYPE_INT_PTR },
};

static void ftk_close_fd(void *fd)
{
	close_fd((unsigned long)fd);
}

static void ftk_close_fd_later(struct kunit *test, int fd)
{
	int err = kunit_add_action_or_reset(test, ftk_close_fd,
					    (void *)(unsigned long)fd);

	KUNIT_ASSERT_EQ(test, err, 0);
}

static int ftk_btf_load(struct kunit *test, const char *name, u32 nr_funcs,
			const struct ftk_opts *opts)
{
	size_t type_end = struct_size_t(struct ftk_btf, func, nr_funcs);
	size_t str_len = (FTK_STR_FUNC + nr_funcs) * FTK_STR_LEN;
	char (*str)[FTK_STR_LEN];
	struct ftk_btf *btf;
	union bpf_attr attr;
	int fd;
	u32 i;

	btf = kunit_kzalloc(test, type_end + str_len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, btf);
	str = (void *)btf + type_end;

	btf->hdr.magic = BTF_MAGIC;
	btf->hdr.version = BTF_VERSION;
	btf->hdr.hdr_len = sizeof(btf->hdr);
	btf->hdr.type_len = type_end - sizeof(btf->hdr);
	btf->hdr.str_off = btf->hdr.type_len;
	btf->hdr.str_len = str_len;

	btf->types = ftk_types;
	memcpy(str, ftk_strs, sizeof(ftk_strs));

	for (i = 0; i < nr_funcs; i++) {
		bool global = !i || (opts->globals & BIT(i));

		if (i)
			snprintf(str[FTK_STR_FUNC + i], FTK_STR_LEN, "sub%u", i);
		else
			strscpy(str[FTK_STR_FUNC], name, BPF_OBJ_NAME_LEN);
		btf->func[i].name_off = (FTK_STR_FUNC + i) * FTK_STR_LEN;
		btf->func[i].info = FTK_INFO(FUNC, global ? BTF_FUNC_GLOBAL :
							    BTF_FUNC_STATIC);
		btf->func[i].type = opts->fillers & BIT(i) ? FTK_TYPE_FILLER : FTK_TYPE_PROTO;
	}

	memset(&attr, 0, sizeof(attr));
	attr.btf = (unsigned long)btf;
	attr.btf_size = type_end + str_len;
	fd = kern_sys_bpf(BPF_BTF_LOAD, &attr, sizeof(attr));
	KUNIT_ASSERT_GE(test, fd, 0);
	return fd;
}

static bool ftk_refers_to_func(const struct bpf_insn *insn)
{
	if (insn->code == (BPF_JMP | BPF_CALL))
		return insn->src_reg == BPF_PSEUDO_CALL;
	return bpf_pseudo_func(insn);
}

/* Where the functions of a program begin, found in the way the verifier does. */
static unsigned long *ftk_find_funcs(struct kunit *test,
				     const struct bpf_insn *insns, u32 cnt)
{
	unsigned long *starts;
	u32 i, start;

	starts = kunit_kcalloc(test, BITS_TO_LONGS(cnt), sizeof(*starts),
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, starts);

	__set_bit(0, starts);
	for (i = 0; i < cnt; i++) {
		if (!ftk_refers_to_func(&insns[i]))
			continue;
		start = i + insns[i].imm + 1;
		/* One that is out of bounds is the verifier's to refuse. */
		if (start < cnt)
			__set_bit(start, starts);
	}
	return starts;
}

/*
 * The verifier writes its log to user memory only. The case's thread has none
 * until KUnit lends it some, which is worth it only for a load that failed.
 */
static void ftk_show_log(struct kunit *test, union bpf_attr *attr)
{
	unsigned long ubuf;
	char *buf, *line;
	int fd;

	ubuf = kunit_vm_mmap(test, NULL, 0, FTK_LOG_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	buf = kunit_kzalloc(test, FTK_LOG_SIZE, GFP_KERNEL);
	if (!ubuf || IS_ERR_VALUE(ubuf) || !buf)
		return;

	attr->log_level = BPF_LOG_LEVEL1;
	attr->log_buf = ubuf;
	attr->log_size = FTK_LOG_SIZE;
	fd = kern_sys_bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
	if (fd >= 0)
		close_fd(fd);

	if (strncpy_from_user(buf, (const char __user *)ubuf, FTK_LOG_SIZE - 1) < 0)
		return;
	while ((line = strsep(&buf, "\n"))) {
		if (*line)
			kunit_err(test, "%s\n", line);
	}
}

/* A line for each instruction; not for the second halves of those that have two. */
static void ftk_add_lines(struct kunit *test, union bpf_attr *attr)
{
	const struct bpf_insn *insns = (void *)(unsigned long)attr->insns;
	struct bpf_line_info *lines;
	u32 i;

	lines = kunit_kcalloc(test, attr->insn_cnt, sizeof(*lines), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, lines);
	for (i = 0; i < attr->insn_cnt; i++)
		if (insns[i].code)
			lines[attr->line_info_cnt++].insn_off = i;
	attr->line_info = (unsigned long)lines;
	attr->line_info_rec_size = sizeof(*lines);
}

static int ftk_bpf_load(struct kunit *test, union bpf_attr *attr, bool no_perfmon)
{
	const struct cred *usual;
	struct cred *cred;
	int fd;

	if (!no_perfmon)
		return kern_sys_bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
	cred = prepare_creds();
	KUNIT_ASSERT_NOT_NULL(test, cred);
	cap_lower(cred->cap_effective, CAP_PERFMON);
	cap_lower(cred->cap_effective, CAP_SYS_ADMIN);
	usual = override_creds(cred);
	fd = kern_sys_bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
	revert_creds(usual);
	put_cred(cred);
	return fd;
}

static int ftk_load_fd(struct kunit *test, const struct bpf_insn *insns,
		       u32 cnt, const struct ftk_opts *opts, bool must_load)
{
	static const struct ftk_opts usual;
	struct bpf_func_info *func_info;
	u32 off, nr_funcs, i = 0;
	unsigned long *starts;
	union bpf_attr attr;
	const char *name;
	int fd;

	if (!opts)
		opts = &usual;
	name = opts->name ?: test->name;

	starts = ftk_find_funcs(test, insns, cnt);
	nr_funcs = bitmap_weight(starts, cnt);
	func_info = kunit_kcalloc(test, nr_funcs, sizeof(*func_info), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, func_info);
	for_each_set_bit(off, starts, cnt) {
		func_info[i].insn_off = off;
		func_info[i].type_id = FTK_TYPE_FUNC + i;
		i++;
	}

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = opts->type ?: BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.expected_attach_type = opts->expected_attach_type;
	attr.prog_flags = opts->flags;
	attr.insns = (unsigned long)insns;
	attr.insn_cnt = cnt;
	attr.license = (unsigned long)"GPL";
	strscpy(attr.prog_name, name);
	if (opts->types)
		attr.prog_btf_fd = opts->types->btf_fd;
	else
		attr.prog_btf_fd = ftk_btf_load(test, attr.prog_name, nr_funcs, opts);
	if (opts->target) {
		/* 0 would be none. */
		attr.attach_prog_fd = ftk_prog_fd(test, opts->target) ?:
				      ftk_prog_fd(test, opts->target);
		attr.attach_btf_id = FTK_TYPE_FUNC;
	} else if (opts->func) {
		attr.attach_btf_id =
			btf_find_by_name_kind(bpf_get_btf_vmlinux(), opts->func,
					      opts->expected_attach_type == BPF_TRACE_RAW_TP ?
					      BTF_KIND_TYPEDEF : BTF_KIND_FUNC);
	}
	attr.func_info = (unsigned long)func_info;
	attr.func_info_cnt = nr_funcs;
	attr.func_info_rec_size = sizeof(*func_info);
	if (opts->lines)
		ftk_add_lines(test, &attr);

	attr.log_level = opts->log ? BPF_LOG_STATS : 0;
	fd = ftk_bpf_load(test, &attr, opts->no_perfmon);
	if (fd < 0 && must_load)
		ftk_show_log(test, &attr);
	if (!opts->types)
		close_fd(attr.prog_btf_fd);
	return fd;
}

static void ftk_put_prog(void *data)
{
	struct ftk_prog *p = data;

	list_del(&p->node);
	bpf_prog_put(p->prog);
	kfree(p);
}

/**
 * ftk_load() - load a program
 * @test: the test case, which is failed if the program cannot be loaded; then
 *	  the verifier's log is printed
 * @insns: the program; calls of its own functions may be in it (BPF_CALL_REL()),
 *	   and addresses of its own callbacks (BPF_LD_IMM64_RAW() with
 *	   BPF_PSEUDO_FUNC). Every function gets the type int f(int arg) and,
 *	   but for the first, the name "sub<n>".
 * @cnt: number of instructions
 * @opts: what is not as usual, or NULL
 *
 * Context: the thread of the test case.
 * Return: the program, which is put when the case ends.
 */
struct bpf_prog *ftk_load(struct kunit *test, const struct bpf_insn *insns,
			  u32 cnt, const struct ftk_opts *opts)
{
	struct bpf_prog *prog;
	struct ftk_prog *p;
	int fd, err;

	fd = ftk_load_fd(test, insns, cnt, opts, true);
	KUNIT_ASSERT_GE(test, fd, 0);
	prog = bpf_prog_get(fd);
	close_fd(fd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, prog);

	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		bpf_prog_put(prog);
	KUNIT_ASSERT_NOT_NULL(test, p);
	p->prog = prog;
	list_add(&p->node, &ftk_loaded);

	err = kunit_add_action_or_reset(test, ftk_put_prog, p);
	KUNIT_ASSERT_EQ(test, err, 0);
	return prog;
}

/**
 * ftk_load_errno() - try to load a program that ought to be refused
 * @test: the test case
 * @insns: the program, as in ftk_load()
 * @cnt: number of instructions
 * @opts: what is not as usual, or NULL
 *
 * Context: the thread of the test case.
 * Return: the negative errno of the load, or 0 if the program was accepted.
 */
int ftk_load_errno(struct kunit *test, const struct bpf_insn *insns, u32 cnt,
		   const struct ftk_opts *opts)
{
	int fd = ftk_load_fd(test, insns, cnt, opts, false);

	if (fd < 0)
		return fd;
	close_fd(fd);
	return 0;
}

/**
 * ftk_load_counter() - load a program that counts how often it is run
 * @test: the test case, at whose end it is freed
 * @count: an array of one u64
 * @opts: what is not as usual
 *
 * Context: the thread of the test case.
 * Return: the program.
 */
struct bpf_prog *ftk_load_counter(struct kunit *test, const struct ftk_map *count,
				  const struct ftk_opts *opts)
{
	const struct bpf_insn insns[] = {
		BPF_LD_IMM64_RAW(BPF_REG_1, BPF_PSEUDO_MAP_VALUE, count->fd),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_0, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	return ftk_load(test, insns, ARRAY_SIZE(insns), opts);
}

/**
 * ftk_unload() - put a program before its test case ends
 * @test: the test case that loaded it
 * @prog: a program of ftk_load()
 *
 * Its memory goes later; see ftk_drain().
 *
 * Context: the thread of the test case.
 */
void ftk_unload(struct kunit *test, struct bpf_prog *prog)
{
	struct ftk_prog *p;

	list_for_each_entry(p, &ftk_loaded, node) {
		if (p->prog == prog) {
			kunit_release_action(test, ftk_put_prog, p);
			return;
		}
	}
	KUNIT_FAIL_AND_ABORT(test, "program was not loaded by ftk_load()");
}

/**
 * ftk_drain() - wait until the memory of all programs that were put is free
 *
 * A program is freed after a grace period, by a work item, when nothing else
 * holds it: a prog array, a link, an open descriptor. To be called while nobody
 * else loads programs, and by the last case of each suite.
 *
 * Context: may sleep.
 * Return: 0, or -ETIMEDOUT if a program is still there after ten seconds.
 */
int ftk_drain(void)
{
	const int loaded = list_count_nodes(&ftk_loaded);
	int nr;

	return read_poll_timeout(atomic_read, nr, nr <= loaded,
				 10 * USEC_PER_MSEC, FTK_DRAIN_US, false,
				 &fastterm_nr_progs);
}

/**
 * ftk_prog_fd() - a descriptor for a program
 * @test: the test case, at whose end it is closed
 * @prog: the program
 *
 * For what takes a program by descriptor: prog arrays and links. It may be 0,
 * which some attributes of bpf(2) understand as "none" (attach_prog_fd).
 *
 * Context: the thread of the test case.
 * Return: the descriptor.
 */
int ftk_prog_fd(struct kunit *test, struct bpf_prog *prog)
{
	int fd;

	bpf_prog_inc(prog);
	fd = bpf_prog_new_fd(prog);
	if (fd < 0)
		bpf_prog_put(prog);
	KUNIT_ASSERT_GE(test, fd, 0);
	ftk_close_fd_later(test, fd);
	return fd;
}

/**
 * ftk_patching_begin() - ftrace is about to patch functions
 *
 * As long as riscv's stops the machine for it, it takes text_mutex and then
 * cpu_hotplug_lock, where kprobes and jump labels take them the other way round.
 * lockdep would say so, and nothing of anybody else's locks from then on.
 *
 * Context: a thread, which does the patching; up to ftk_patching_end().
 */
void ftk_patching_begin(void)
{
	if (IS_ENABLED(CONFIG_RISCV))
		lockdep_off();
}

/**
 * ftk_patching_end() - it has
 *
 * Context: that of ftk_patching_begin().
 */
void ftk_patching_end(void)
{
	if (IS_ENABLED(CONFIG_RISCV))
		lockdep_on();
}

/* Here and now: a file that a thread of the kernel's closes is left to a worker. */
static void ftk_detach(void *fd)
{
	ftk_patching_begin();
	close_fd((unsigned long)fd);
	flush_delayed_fput();
	ftk_patching_end();
}

/* Make a link to a program, until the case ends. */
static void ftk_link(struct kunit *test, int cmd, union bpf_attr *attr)
{
	int fd;

	ftk_patching_begin();
	fd = kern_sys_bpf(cmd, attr, sizeof(*attr));
	ftk_patching_end();
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, ftk_detach,
							   (void *)(unsigned long)fd));
}

/**
 * ftk_attach() - attach a program to what it was loaded for
 * @test: the test case, at whose end it is detached
 * @prog: a program with ftk_opts.target or ftk_opts.func
 *
 * Context: the thread of the test case.
 */
void ftk_attach(struct kunit *test, struct bpf_prog *prog)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.prog_fd = ftk_prog_fd(test, prog);
	ftk_link(test, BPF_RAW_TRACEPOINT_OPEN, &attr);
}

static void free_event(void *event)
{
	perf_event_release_kernel(event);
}

/**
 * ftk_attach_event() - attach a program to a perf event
 * @test: the test case, at whose end it is detached
 * @prog: the program, of a type that such events enter
 * @attr: what the event is
 * @cpu: the CPU on which it counts, or -1 for wherever this task is
 *
 * Context: the thread of the test case.
 * Return: the event.
 */
struct perf_event *ftk_attach_event(struct kunit *test, struct bpf_prog *prog,
				    struct perf_event_attr *attr, int cpu)
{
	struct task_struct *task = cpu < 0 ? current : NULL;
	struct perf_event *event;
	int err;

	event = perf_event_create_kernel_counter(attr, cpu, task, NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, event);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_event, event));
	bpf_prog_inc(prog);
	err = perf_event_set_bpf_prog(event, prog, 0);
	if (err)
		bpf_prog_put(prog);
	KUNIT_ASSERT_EQ(test, err, 0);
	return event;
}

/**
 * ftk_attach_kprobe() - attach a program to a place in the kernel, as libbpf does it
 * @test: the test case, at whose end it is detached
 * @prog: the program
 * @addr: the place: of a function, see ftk_probed()
 *
 * Context: the thread of the test case.
 */
void ftk_attach_kprobe(struct kunit *test, struct bpf_prog *prog, unsigned long addr)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .kprobe_addr = addr };
	char type[16];
	int err;

	ftk_read(test, ftk_open(test, "sysfs", "bus/event_source/devices/kprobe/type"), NULL, type,
		 sizeof(type));
	err = kstrtou32(strim(type), 10, &attr.type);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "%s", type);
	ftk_attach_event(test, prog, &attr, -1);
}

/**
 * ftk_attach_kprobe_multi() - attach a program to a function, as to one of many
 * @test: the test case, at whose end it is detached
 * @prog: a program with ftk_opts.expected_attach_type of BPF_TRACE_KPROBE_MULTI
 * @func: the function
 *
 * Context: the thread of the test case.
 */
void ftk_attach_kprobe_multi(struct kunit *test, struct bpf_prog *prog, unsigned long func)
{
	const u64 addr = func;
	unsigned long ubuf;
	union bpf_attr attr;

	/* The addresses come from user memory; see ftk_show_log(). */
	ubuf = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, !ubuf || IS_ERR_VALUE(ubuf));
	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)ubuf, &addr, sizeof(addr)), 0);

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = ftk_prog_fd(test, prog);
	attr.link_create.attach_type = BPF_TRACE_KPROBE_MULTI;
	attr.link_create.kprobe_multi.cnt = 1;
	attr.link_create.kprobe_multi.addrs = ubuf;
	ftk_link(test, BPF_LINK_CREATE, &attr);
}

/**
 * ftk_run() - run a program once, on this CPU
 * @prog: the program
 * @ctx: its context, of the kind that its type has; for a raw tracepoint,
 *	 an array of u64
 *
 * It runs under what its type's hooks hold, which is one kind of RCU for
 * sleepable programs and another for the rest.
 *
 * Context: any thread; may sleep if the program may.
 * Return: what the program returns.
 */
u32 ftk_run(const struct bpf_prog *prog, const void *ctx)
{
	u32 ret;

	migrate_disable();
	if (prog->sleepable) {
		rcu_read_lock_trace();
		ret = bpf_prog_run(prog, ctx);
		rcu_read_unlock_trace();
	} else {
		rcu_read_lock();
		ret = bpf_prog_run(prog, ctx);
		rcu_read_unlock();
	}
	migrate_enable();
	return ret;
}

/**
 * ftk_need_callbacks() - skip a case where the kernel cannot call a program's callback
 * @test: the test case
 *
 * With kCFI, an indirect call looks for a hash before the function. Where the JIT
 * writes none, the first call of a callback by a helper is an oops, fastterm or not.
 */
void ftk_need_callbacks(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_CFI_CLANG) && !cfi_get_offset())
		kunit_skip(test, "no kCFI in this JIT: the kernel cannot call callbacks");
}

static bool first_sp(void *sp, u64 ip, u64 frame_sp, u64 bp)
{
	*(u64 *)sp = frame_sp;
	return false;
}

/**
 * ftk_need_exceptions() - skip a case where a program cannot throw
 * @test: the test case
 *
 * What handles an exception is called by the kernel, as callbacks are. And KASAN has to
 * be told which part of the stack is left, which bpf_throw() can only do where the
 * architecture's walk says where frames are: else what is still marked is taken for a
 * bug of whoever uses that part next.
 *
 * Context: the thread of the test case.
 */
void ftk_need_exceptions(struct kunit *test)
{
	u64 sp = 0;

	if (!bpf_jit_supports_exceptions())
		kunit_skip(test, "no exceptions in this architecture's JIT");
	ftk_need_callbacks(test);
	arch_bpf_stack_walk(first_sp, &sp);
	if (IS_ENABLED(CONFIG_KASAN) && !sp)
		kunit_skip(test, "bpf_throw() cannot tell KASAN which frames it leaves");
}

/**
 * ftk_kfunc() - the instruction that calls a kfunc
 * @test: the test case, which is failed if the kernel has no such function
 * @name: the kfunc's name
 *
 * Context: the thread of the test case.
 * Return: the instruction, to be placed in an array.
 */
struct bpf_insn ftk_kfunc(struct kunit *test, const char *name)
{
	struct btf *btf = bpf_get_btf_vmlinux();
	s32 id;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, btf);
	id = btf_find_by_name_kind(btf, name, BTF_KIND_FUNC);
	KUNIT_ASSERT_GT_MSG(test, id, 0, "no function %s", name);
	return BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, id);
}

static void ftk_put_map(void *map)
{
	bpf_map_put(map);
}

static struct ftk_map ftk_map_create(struct kunit *test, union bpf_attr *attr)
{
	struct ftk_map m = {};
	int err;

	m.fd = kern_sys_bpf(BPF_MAP_CREATE, attr, sizeof(*attr));
	KUNIT_ASSERT_GE(test, m.fd, 0);
	ftk_close_fd_later(test, m.fd);

	m.map = bpf_map_get(m.fd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m.map);
	err = kunit_add_action_or_reset(test, ftk_put_map, m.map);
	KUNIT_ASSERT_EQ(test, err, 0);
	return m;
}

/**
 * ftk_map() - create a map
 * @test: the test case, at whose end the map is put
 * @type: type of the map
 * @key_size: size of a key, in bytes
 * @value_size: size of a value, in bytes
 * @max_entries: number of entries
 * @flags: BPF_F_NO_PREALLOC and the like
 *
 * Context: the thread of the test case.
 * Return: the map and a descriptor for it.
 */
struct ftk_map ftk_map(struct kunit *test, enum bpf_map_type type, u32 key_size,
		       u32 value_size, u32 max_entries, u32 flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = key_size;
	attr.value_size = value_size;
	attr.max_entries = max_entries;
	attr.map_flags = flags;
	return ftk_map_create(test, &attr);
}

/**
 * ftk_map_typed() - create an array of one &struct ftk_value
 * @test: the test case, at whose end the map is put
 *
 * Objects that a program allocates may be put into a map if the types of both
 * are the same ones: see ftk_opts.types.
 *
 * Context: the thread of the test case.
 * Return: the map and a descriptor for it.
 */
struct ftk_map ftk_map_typed(struct kunit *test)
{
	union bpf_attr attr;
	struct ftk_map m;
	int btf_fd;

	btf_fd = ftk_btf_load(test, test->name, FTK_SHARED_FUNCS, &(struct ftk_opts){});
	ftk_close_fd_later(test, btf_fd);

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(int);
	attr.value_size = sizeof(struct ftk_value);
	attr.max_entries = 1;
	attr.btf_fd = btf_fd;
	attr.btf_key_type_id = FTK_TYPE_INT;
	attr.btf_value_type_id = FTK_TYPE_VALUE;
	m = ftk_map_create(test, &attr);
	m.btf_fd = btf_fd;
	return m;
}

/**
 * ftk_map_update() - set an entry of a map
 * @test: the test case, which is failed if that is not possible
 * @m: the map
 * @key: the key
 * @value: the value, as bpf(2) takes it: for a prog array, a descriptor
 *
 * Context: the thread of the test case.
 */
void ftk_map_update(struct kunit *test, const struct ftk_map *m,
		    const void *key, const void *value)
{
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = m->fd;
	attr.key = (unsigned long)key;
	attr.value = (unsigned long)value;
	err = kern_sys_bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
	KUNIT_ASSERT_EQ(test, err, 0);
}

/**
 * ftk_map_lookup() - read an entry of a map
 * @m: the map; of a per-CPU map, this CPU's entry is read
 * @key: the key
 * @value: filled with the value
 *
 * bpf(2) would copy the value to user memory, so the map is asked directly, as
 * a program asks it.
 *
 * Context: any.
 * Return: true if there is such an entry.
 */
bool ftk_map_lookup(const struct ftk_map *m, const void *key, void *value)
{
	void *found;

	guard(rcu)();
	found = m->map->ops->map_lookup_elem(m->map, (void *)key);
	if (IS_ERR_OR_NULL(found))
		return false;
	memcpy(value, found, m->map->value_size);
	return true;
}

/**
 * ftk_probed() - where a kprobe for a function may be
 * @func: its address
 *
 * That is the very beginning, unless it is ftrace's, and kprobes cannot have it too.
 *
 * Context: any.
 * Return: the address.
 */
unsigned long ftk_probed(unsigned long func)
{
#ifdef CONFIG_DYNAMIC_FTRACE
	unsigned long traced = ftrace_location(func);

	if (traced && !IS_ENABLED(CONFIG_KPROBES_ON_FTRACE))
		return traced + MCOUNT_INSN_SIZE;
#endif
	return func;
}
