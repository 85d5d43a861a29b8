// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF programs for KUnit test cases; see prog.h
 */

#include <linux/bitmap.h>
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/build_bug.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fastterm.h>
#include <linux/fdtable.h>
#include <linux/filter.h>
#include <linux/iopoll.h>
#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "../program.h"
#include "btf.h"
#include "map.h"
#include "prog.h"
#include "syscall.h"

#define FTK_LOG_SIZE SZ_64K

/* How long it may take until the memory of a program that was put is freed. */
#define FTK_DRAIN_US (10 * USEC_PER_SEC)

/* A program of a test case. KUnit runs one case at a time, so the list needs no lock. */
struct ftk_prog {
	struct list_head node;
	struct bpf_prog *prog;
};

static LIST_HEAD(ftk_loaded);

static bool ftk_refers_to_func(const struct bpf_insn *insn)
{
	if (insn->code == (BPF_JMP | BPF_CALL))
		return insn->src_reg == BPF_PSEUDO_CALL;
	return bpf_pseudo_func(insn);
}

/* Find the beginnings of a program's functions, in the same way as the verifier. */
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
		/* The verifier refuses references that are out of bounds. */
		if (start < cnt)
			__set_bit(start, starts);
	}
	return starts;
}

/* The verifier writes its log to user memory only, which is allocated only if a load has failed. */
static void ftk_show_log(struct kunit *test, union bpf_attr *attr)
{
	char *buf = kunit_kzalloc(test, FTK_LOG_SIZE, GFP_KERNEL), *line;
	char __user *ubuf = ftk_user_memory(test, FTK_LOG_SIZE);
	int fd;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	attr->log_level = BPF_LOG_LEVEL1;
	attr->log_buf = (unsigned long)ubuf;
	attr->log_size = FTK_LOG_SIZE;
	fd = kern_sys_bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
	if (fd >= 0)
		close_fd(fd);

	if (strncpy_from_user(buf, ubuf, FTK_LOG_SIZE - 1) < 0)
		return;
	while ((line = strsep(&buf, "\n"))) {
		if (*line)
			kunit_err(test, "%s\n", line);
	}
}

/* Add a line for each instruction, except for the second halves of 16-byte instructions. */
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

/* What ftk_opts.func names. */
static u8 kind_of(const struct ftk_opts *opts)
{
	return opts->expected_attach_type == BPF_TRACE_RAW_TP ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC;
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
		attr.prog_btf_fd = ftk_btf_load(test, attr.prog_name, nr_funcs,
						opts->globals, opts->fillers, opts->xdp);
	if (opts->target) {
		/* The descriptor 0 would mean that there is no target. */
		attr.attach_prog_fd = ftk_prog_fd(test, opts->target) ?:
				      ftk_prog_fd(test, opts->target);
		attr.attach_btf_id = FTK_TYPE_FUNC;
	} else if (opts->func) {
		attr.attach_btf_id =
			btf_find_by_name_kind(bpf_get_btf_vmlinux(), opts->func,
					      kind_of(opts));
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
 * @test: the test case, which is failed, with the verifier's log, if the program cannot be
 *	  loaded
 * @insns: the program. It may call its own functions (BPF_CALL_REL()) and refer to its own
 *	   callbacks (BPF_LD_IMM64_RAW() with BPF_PSEUDO_FUNC). All functions have the type int
 *	   f(int arg) and, except for the first, the name "sub<n>".
 * @cnt: number of instructions
 * @opts: options that differ from the defaults, or NULL
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
 * ftk_load_errno() - try to load a program that must be refused
 * @test: the test case
 * @insns: the program, as in ftk_load()
 * @cnt: number of instructions
 * @opts: options that differ from the defaults, or NULL
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
 * ftk_load_counter() - load a program that counts its runs
 * @test: the test case, at whose end it is freed
 * @count: an array of one u64
 * @opts: options that differ from the defaults
 *
 * Context: the thread of the test case.
 * Return: the program.
 */
struct bpf_prog *ftk_load_counter(struct kunit *test, const struct ftk_map *count,
				  const struct ftk_opts *opts)
{
	struct bpf_insn insns[FTK_COUNT_LEN + 2] = {
		[FTK_COUNT_LEN] = BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	ftk_count(insns, count);
	return ftk_load(test, insns, ARRAY_SIZE(insns), opts);
}

/**
 * ftk_unload() - put a program before its test case ends
 * @test: the test case that has loaded the program
 * @prog: a program that ftk_load() has returned
 *
 * Its memory is freed later; see ftk_drain().
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
 * ftk_drain() - wait until the memory of all programs that were put has been freed
 *
 * A program is freed by a work item, after a grace period, when nothing refers to it any more:
 * no prog array, no link, no open descriptor. Call this while nothing else loads programs, and
 * in the last case of each suite.
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
 * ftk_prog_fd() - get a descriptor for a program
 * @test: the test case, at whose end it is closed
 * @prog: the program
 *
 * Prog arrays and links take programs by descriptor. The descriptor may be 0, which some
 * attributes of bpf(2) take for "none" (attach_prog_fd).
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
 * ftk_kfunc() - make the instruction that calls a kfunc
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

/**
 * ftk_count() - write the instructions by which a program increments a counter
 * @insns: receives the instructions, which clobber R0 and R1
 * @count: an array of one u64, which is incremented
 */
void ftk_count(struct bpf_insn insns[FTK_COUNT_LEN], const struct ftk_map *count)
{
	const struct bpf_insn add[] = {
		BPF_LD_IMM64_RAW(BPF_REG_1, BPF_PSEUDO_MAP_VALUE, count->fd),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_0, 0),
	};

	BUILD_BUG_ON(ARRAY_SIZE(add) != FTK_COUNT_LEN);
	memcpy(insns, add, sizeof(add));
}
