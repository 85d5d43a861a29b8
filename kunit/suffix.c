// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults and exceptions in programs that are being terminated
 *
 * The stub image is code like the original: loads in it may fault, and it may throw.
 */

#include <linux/array_size.h>
#include <linux/btf.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/kprobes.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <kunit/test.h>

#include "../walk.h"
#include "map.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"

/* Enough that results do not depend on chance. */
#define NR_KICKS	500

/* The program is kicked up to this many ns after it has been entered. */
#define PHASE_NS	20000

/* The value that is thrown, and the value that memory has before. */
#define COOKIE		7

static const struct bpf_insn body_helper[] = {
	FTK_CALL(BPF_FUNC_ktime_get_ns),
};

static void give_back(void *pages)
{
	vfree(pages);
}

/* An unmapped kernel address: the guard page behind an allocation. */
static u64 unmapped(struct kunit *test)
{
	void *pages = vmalloc(PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, give_back, pages), 0);
	return (u64)(uintptr_t)pages + PAGE_SIZE;
}

/* A load that faults reads 0, in the stub image by the stub image's own exception table. */
static void suffix_faults(struct kunit *test)
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map loaded = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const s32 type = btf_find_by_name_kind(bpf_get_btf_vmlinux(), "task_struct",
					       BTF_KIND_STRUCT);
	const struct bpf_insn before[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_6, 24),
		BPF_MOV64_IMM(BPF_REG_2, type),
		ftk_kfunc(test, "bpf_rdonly_cast"),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
	};
	const struct bpf_insn after[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_7, 0),
		BPF_LD_IMM64_RAW(BPF_REG_1, BPF_PSEUDO_MAP_VALUE, loaded.fd),
		BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, 0),
	};
	const struct ftk_shape shape = {
		2, .entered = &entered, .before = FTK_SNIPPET(before),
		.body = FTK_SNIPPET(body_helper), .after = FTK_SNIPPET(after),
	};
	struct ftk_runner *r = ftk_runner(test, &shape, NULL);
	const u64 cookie = COOKIE;
	const u32 key = 0;
	u64 value;

	r->ctx[3] = unmapped(test);
	ftk_map_update(test, &loaded, &key, &cookie);
	ftk_kick(test, r, NR_KICKS, PHASE_NS, 99);
	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(&loaded, &key, &value));
	KUNIT_EXPECT_EQ(test, value, 0);
}

/* The kernel unwinds the frame of the stub image like that of the program. */
static void suffix_throws(struct kunit *test)
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct bpf_insn after[] = {
		BPF_MOV64_IMM(BPF_REG_1, COOKIE),
		ftk_kfunc(test, "bpf_throw"),
	};
	const struct ftk_shape shape = {
		2, .entered = &entered, .body = FTK_SNIPPET(body_helper),
		.after = FTK_SNIPPET(after),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS };
	struct ftk_runner *r;

	ftk_need_exceptions(test);
	r = ftk_runner(test, &shape, &opts);
	r->expected = COOKIE;
	ftk_kick(test, r, NR_KICKS, PHASE_NS, 99);
	KUNIT_EXPECT_EQ(test, r->wrong, 0);
}

/**
 * struct thrown - the stack of a program that throws, as walked from the kernel's handler
 * @probe: kprobe in the handler
 * @nr: number of slots in functions of a program that the walk has found
 * @funcs: the functions of the first two slots
 */
struct thrown {
	struct kprobe probe;
	u32 nr;
	const struct bpf_prog *funcs[2];
};

static int look(struct kprobe *probe, struct pt_regs *regs)
{
	struct thrown *t = container_of(probe, struct thrown, probe);
	struct fastterm_where where;
	struct fastterm_walk w;
	int err;

	t->nr = 0;
	rcu_read_lock();
	for (err = fastterm_walk_begin(&w, regs, NULL, &where); !err;
	     err = fastterm_walk_next(&w)) {
		if (!w.text.prog && t->nr)
			break;
		if (!w.text.prog || where.again)
			continue;
		t->funcs[t->nr++] = w.text.prog;
		if (t->nr == ARRAY_SIZE(t->funcs))
			break;
	}
	rcu_read_unlock();
	return 0;
}

static void look_no_more(void *probe)
{
	unregister_kprobe(probe);
}

/*
 * The last instruction of a function is a call, so that its return address is behind the
 * function.
 */
static void suffix_throws_at_end(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_CALL_REL(2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_1, COOKIE),
		ftk_kfunc(test, "bpf_throw"),
		/* Dead code, which the verifier removes. */
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS };
	const struct bpf_prog *prog;
	struct thrown *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	ftk_need_exceptions(test);
	prog = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
	t->probe.symbol_name = "bpf_stack_walker";
	t->probe.pre_handler = look;
	KUNIT_ASSERT_EQ(test, register_kprobe(&t->probe), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, look_no_more, &t->probe), 0);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), COOKIE);
	KUNIT_EXPECT_PTR_EQ(test, t->funcs[0], prog->aux->func[1]);
	KUNIT_EXPECT_PTR_EQ(test, t->funcs[1], prog);
}

static struct kunit_case suffix_cases[] = {
	KUNIT_CASE(suffix_faults),
	KUNIT_CASE(suffix_throws),
	KUNIT_CASE(suffix_throws_at_end),
	{}
};

static struct kunit_suite suffix_suite = {
	.name = "fastterm_suffix",
	.init = ftk_requester_init,
	.exit = ftk_requester_exit,
	.test_cases = suffix_cases,
};

kunit_test_suite(suffix_suite);
