// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values that are imposed on programs which are terminated, or quarantined
 */

#include <linux/array_size.h>
#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/netfilter.h>

#include <kunit/test.h>

#include "../program.h"
#include "attach.h"
#include "file.h"
#include "kfuncs.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"
#include "watch.h"

#define PERIOD_MS	5

/**
 * struct imposed - a kind of programs
 * @name: its name
 * @opts: its type
 * @own: what the program returns by itself
 * @guards: what it returns if kernel.bpf_fastterm_verdict is "guards"
 * @all: what it returns if it is "all"
 */
struct imposed {
	const char *name;
	struct ftk_opts opts;
	s32 own;
	s32 guards;
	s32 all;
};

static const struct imposed imposeds[] = {
	{ "fmod_ret",
	  { .type = BPF_PROG_TYPE_TRACING, .expected_attach_type = BPF_MODIFY_RETURN,
	    .func = "security_file_open" }, 0, -EPERM, -EPERM },
	{ "fmod_ret, whose function gives an answer",
	  { .type = BPF_PROG_TYPE_TRACING, .expected_attach_type = BPF_MODIFY_RETURN,
	    .func = "security_ismaclabel" }, 0, 0, 0 },
	{ "fmod_ret, whose function returns nobody knows what",
	  { .type = BPF_PROG_TYPE_TRACING, .expected_attach_type = BPF_MODIFY_RETURN,
	    .func = "ftk_guarded" }, 0, 0, 0 },
	{ "LSM",
	  { .type = BPF_PROG_TYPE_LSM, .expected_attach_type = BPF_LSM_MAC,
	    .func = "bpf_lsm_file_open" }, 0, -EPERM, -EPERM },
	{ "LSM, sleepable",
	  { .type = BPF_PROG_TYPE_LSM, .expected_attach_type = BPF_LSM_MAC,
	    .func = "bpf_lsm_file_open", .flags = BPF_F_SLEEPABLE }, 0, -EPERM, -EPERM },
	{ "LSM, whose hook returns a bool",
	  { .type = BPF_PROG_TYPE_LSM, .expected_attach_type = BPF_LSM_MAC,
	    .func = "bpf_lsm_inode_xattr_skipcap" }, 1, 0, 0 },
	{ "LSM of a cgroup",
	  { .type = BPF_PROG_TYPE_LSM, .expected_attach_type = BPF_LSM_CGROUP,
	    .func = "bpf_lsm_socket_bind" }, 1, 0, 0 },
	{ "cgroup_skb ingress",
	  { .type = BPF_PROG_TYPE_CGROUP_SKB,
	    .expected_attach_type = BPF_CGROUP_INET_INGRESS }, 1, 0, 0 },
	{ "cgroup_skb egress",
	  { .type = BPF_PROG_TYPE_CGROUP_SKB,
	    .expected_attach_type = BPF_CGROUP_INET_EGRESS }, 1, 0, 0 },
	{ "cgroup sock_create",
	  { .type = BPF_PROG_TYPE_CGROUP_SOCK,
	    .expected_attach_type = BPF_CGROUP_INET_SOCK_CREATE }, 1, 0, 0 },
	{ "cgroup connect4",
	  { .type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	    .expected_attach_type = BPF_CGROUP_INET4_CONNECT }, 1, 0, 0 },
	{ "cgroup recvmsg4, which may only return 1",
	  { .type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	    .expected_attach_type = BPF_CGROUP_UDP4_RECVMSG }, 1, 1, 1 },
	{ "cgroup getsockopt",
	  { .type = BPF_PROG_TYPE_CGROUP_SOCKOPT,
	    .expected_attach_type = BPF_CGROUP_GETSOCKOPT }, 1, 0, 0 },
	{ "cgroup setsockopt",
	  { .type = BPF_PROG_TYPE_CGROUP_SOCKOPT,
	    .expected_attach_type = BPF_CGROUP_SETSOCKOPT }, 1, 0, 0 },
	{ "cgroup sysctl",
	  { .type = BPF_PROG_TYPE_CGROUP_SYSCTL,
	    .expected_attach_type = BPF_CGROUP_SYSCTL }, 1, 0, 0 },
	{ "cgroup device",
	  { .type = BPF_PROG_TYPE_CGROUP_DEVICE,
	    .expected_attach_type = BPF_CGROUP_DEVICE }, 1, 0, 0 },
	{ "XDP", { .type = BPF_PROG_TYPE_XDP }, 1, 1, XDP_ABORTED },
	{ "tc", { .type = BPF_PROG_TYPE_SCHED_CLS }, 1, 1, TCX_DROP },
	{ "socket filter", { .type = BPF_PROG_TYPE_SOCKET_FILTER }, 1, 1, 0 },
	{ "sk_lookup",
	  { .type = BPF_PROG_TYPE_SK_LOOKUP, .expected_attach_type = BPF_SK_LOOKUP },
	  1, 1, SK_DROP },
	{ "sk_msg", { .type = BPF_PROG_TYPE_SK_MSG }, 1, 1, SK_DROP },
	{ "LWT", { .type = BPF_PROG_TYPE_LWT_IN }, 0, 0, BPF_DROP },
	{ "raw tracepoint", { .type = BPF_PROG_TYPE_RAW_TRACEPOINT }, 1, 1, 1 },
};

KUNIT_ARRAY_PARAM_DESC(imposeds, imposeds, name);

static int impose_init(struct kunit *test)
{
	return ftk_watch_init(test);
}

static struct ftk_runner *runner(struct kunit *test, const struct imposed *i)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	struct ftk_shape shape = { 4, .body = FTK_SNIPPET(body) };
	struct ftk_insns *p = ftk_runaway(test, &shape);
	struct ftk_runner *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	u32 k;

	KUNIT_ASSERT_NOT_NULL(test, r);
	/* The main function's exit is the first one. */
	for (k = 0; p->insns[k].code != (BPF_JMP | BPF_EXIT); k++)
		;
	p->insns[k - 1] = BPF_MOV64_IMM(BPF_REG_0, i->own);
	r->prog = ftk_load(test, p->insns, p->cnt, &i->opts);
	r->once = true;
	return r;
}

static void expect(struct kunit *test, struct file *file, struct ftk_runner *r, const char *mode,
		   s32 value)
{
	KUNIT_ASSERT_EQ(test, ftk_write(test, file, mode), strlen(mode));
	ftk_runner_start(test, r, 1);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
	KUNIT_EXPECT_EQ_MSG(test, (s32)r->result, value, "terminated, with %s", mode);
}

static void impose_terminated(struct kunit *test)
{
	struct file *file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm_verdict");
	const struct imposed *i = test->param_value;
	struct ftk_runner *r = runner(test, i);

	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	expect(test, file, r, "own\n", i->own);
	expect(test, file, r, "all\n", i->all);
	expect(test, file, r, "guards\n", i->guards);
	KUNIT_EXPECT_EQ(test, ftk_terminations(r->prog), 3);
}

static void impose_quarantined(struct kunit *test)
{
	struct file *file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm_verdict");
	const struct imposed *i = test->param_value;
	struct ftk_runner *r = runner(test, i);
	/* These do nothing, as where the kernel refuses to enter them recursively. */
	const bool skipped = i->opts.type == BPF_PROG_TYPE_RAW_TRACEPOINT;

	KUNIT_ASSERT_EQ(test, ftk_write(test, file, "own\n"), 4);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(r->prog, true));
	KUNIT_EXPECT_EQ(test, (s32)ftk_run(r->prog, r->ctx), skipped ? 0 : i->own);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(r->prog, false));
	KUNIT_ASSERT_EQ(test, ftk_write(test, file, "all\n"), 4);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(r->prog, true));
	KUNIT_EXPECT_EQ(test, (s32)ftk_run(r->prog, r->ctx), skipped ? 0 : i->all);
	KUNIT_ASSERT_EQ(test, ftk_write(test, file, "guards\n"), 7);
}

/* An extension that replaces a main function says no as that one would. */
static void impose_extension(struct kunit *test)
{
	struct file *file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm_verdict");
	const struct bpf_insn passes[] = { BPF_MOV64_IMM(BPF_REG_0, XDP_PASS), BPF_EXIT_INSN() };
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_XDP, .xdp = true };
	struct bpf_prog *target = ftk_load(test, passes, ARRAY_SIZE(passes), &opts);
	const struct imposed extension = {
		.own = XDP_DROP,
		.opts = { .type = BPF_PROG_TYPE_EXT, .target = target, .xdp = true },
	};
	struct ftk_runner *r = runner(test, &extension);
	const struct bpf_prog *replacing = r->prog;

	KUNIT_EXPECT_EQ(test, fastterm_of(replacing)->denial.says, FASTTERM_SAYS_NOTHING);
	/* The name of what it was loaded for may be freed before the extension is. */
	KUNIT_EXPECT_STREQ(test, fastterm_of(replacing)->func, replacing->aux->attach_func_name);
	KUNIT_EXPECT_PTR_NE(test, fastterm_of(replacing)->func, replacing->aux->attach_func_name);
	ftk_attach(test, r->prog);
	r->prog = target;
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	expect(test, file, r, "own\n", XDP_DROP);
	expect(test, file, r, "all\n", XDP_ABORTED);
	expect(test, file, r, "guards\n", XDP_DROP);
	KUNIT_EXPECT_EQ(test, ftk_terminations(replacing), 3);
}

/*
 * An extension that several functions are replaced by has only a value imposed that denies the same
 * in all of them, and that all of them may return.
 */
static void impose_extensions(struct kunit *test)
{
	static const struct ftk_opts opts[] = {
		{ .type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		  .expected_attach_type = BPF_CGROUP_INET4_CONNECT },
		/* It may only return 1. */
		{ .type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		  .expected_attach_type = BPF_CGROUP_UDP4_RECVMSG },
		/* 0 denies in one of these, and permits in the other one. */
		{ .type = BPF_PROG_TYPE_LSM, .expected_attach_type = BPF_LSM_MAC,
		  .func = "bpf_lsm_inode_xattr_skipcap" },
		{ .type = BPF_PROG_TYPE_LSM, .expected_attach_type = BPF_LSM_MAC,
		  .func = "bpf_lsm_file_open" },
	};
	static const struct {
		u32 target[3];
		enum fastterm_says says;
		s32 value;
	} orders[] = {
		{ { 0, 0, 0 }, FASTTERM_SAYS_ACCESS, 0 },
		{ { 1, 1, 1 }, FASTTERM_SAYS_NOTHING },
		{ { 0, 1, 0 }, FASTTERM_SAYS_NOTHING },
		{ { 1, 0, 0 }, FASTTERM_SAYS_NOTHING },
		{ { 3, 3, 3 }, FASTTERM_SAYS_ACCESS, -EPERM },
		{ { 2, 3, 2 }, FASTTERM_SAYS_NOTHING },
		{ { 3, 2, 3 }, FASTTERM_SAYS_NOTHING },
	};
	const struct bpf_insn returns[] = { BPF_MOV64_IMM(BPF_REG_0, 1), BPF_EXIT_INSN() };
	const struct bpf_insn permits[] = { BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN() };
	const struct ftk_opts xdp = { .type = BPF_PROG_TYPE_XDP, .xdp = true };
	struct bpf_prog *targets[ARRAY_SIZE(opts)], *extension;
	const struct ftk_opts replaces = {
		.type = BPF_PROG_TYPE_EXT, .xdp = true,
		.target = ftk_load(test, returns, ARRAY_SIZE(returns), &xdp),
	};
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(opts); i++)
		targets[i] = ftk_load(test, i == 3 ? permits : returns, 2, &opts[i]);
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		extension = ftk_load(test, returns, ARRAY_SIZE(returns), &replaces);
		for (k = 0; k < ARRAY_SIZE(orders[i].target); k++)
			fastterm_inherit_denial((void *)targets[orders[i].target[k]]->bpf_func,
						(void *)extension->bpf_func);
		KUNIT_EXPECT_EQ_MSG(test, fastterm_of(extension)->denial.says, orders[i].says,
				    "order %u", i);
		if (orders[i].says != FASTTERM_SAYS_NOTHING)
			KUNIT_EXPECT_EQ(test, fastterm_of(extension)->denial.value,
					orders[i].value);
	}
}

/* An operation that a guard decides on. */
static int open_root(void)
{
	struct file *file = filp_open("/", O_RDONLY | O_DIRECTORY, 0);

	if (IS_ERR(file))
		return PTR_ERR(file);
	fput(file);
	return 0;
}

/* A guard that runs away does not let anybody past. */
static void impose_guards(struct kunit *test)
{
	struct file *file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm_verdict");
	struct ftk_runner *guard = runner(test, &imposeds[0]);

	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		kunit_skip(test, "no ftrace direct calls: no trampolines for functions");
	ftk_attach(test, guard->prog);
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	KUNIT_ASSERT_EQ(test, ftk_write(test, file, "own\n"), 4);
	KUNIT_EXPECT_EQ(test, open_root(), 0);
	KUNIT_ASSERT_EQ(test, ftk_write(test, file, "guards\n"), 7);
	KUNIT_EXPECT_EQ(test, open_root(), -EPERM);
	KUNIT_EXPECT_EQ(test, ftk_terminations(guard->prog), 2);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(guard->prog, true));
	KUNIT_EXPECT_EQ(test, open_root(), -EPERM);
	KUNIT_EXPECT_EQ(test, ftk_terminations(guard->prog), 2);
}

static struct kunit_case impose_cases[] = {
	KUNIT_CASE_PARAM(impose_terminated, imposeds_gen_params),
	KUNIT_CASE_PARAM(impose_quarantined, imposeds_gen_params),
	KUNIT_CASE(impose_extension),
	KUNIT_CASE(impose_extensions),
	KUNIT_CASE(impose_guards),
	{}
};

static struct kunit_suite impose_suite = {
	.name = "fastterm_watchdog_impose",
	.init = impose_init,
	.exit = ftk_watch_exit,
	.test_cases = impose_cases,
};

kunit_test_suite(impose_suite);
