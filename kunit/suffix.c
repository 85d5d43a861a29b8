// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program that is terminated still does on its way out
 *
 * Its stub image is code like its own: loads may fault in it, it may throw, and it
 * calls functions that other programs may be attached to.
 */

#include <linux/array_size.h>
#include <linux/btf.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/irq_work.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/u64_stats_sync.h>
#include <linux/vmalloc.h>

#include <kunit/test.h>

#include "../internal.h"
#include "kfuncs.h"
#include "prog.h"
#include "runaway.h"

/* As many as it takes for chance not to decide. */
#define NR_KICKS	500

/* The kicks come after up to so many ns in the program. */
#define PHASE_NS	20000

/* What is thrown, or was in memory before. */
#define COOKIE		7

static const struct bpf_insn body_helper[] = {
	FTK_CALL(BPF_FUNC_ktime_get_ns),
};

static void give_back(void *pages)
{
	vfree(pages);
}

/* An address of the kernel's at which there is nothing: behind what has been allocated. */
static u64 unmapped(struct kunit *test)
{
	void *pages = vmalloc(PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, give_back, pages), 0);
	return (u64)(uintptr_t)pages + PAGE_SIZE;
}

/* A load that faults reads 0: in the stub image by the table of that. */
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

/* The kernel unwinds the stub image's frame as it would the program's. */
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
 * struct thrown - a program that throws, seen from where the kernel handles that
 * @probe: is hit there
 * @nr: how many slots in a function of a program the walk has come to
 * @funcs: the functions of the first two
 */
struct thrown {
	struct kprobe probe;
	u32 nr;
	const struct bpf_prog *funcs[2];
};

static bool see(const struct fastterm_slot *slot, void *data)
{
	struct thrown *t = data;

	if (!slot->text)
		return !t->nr;
	t->funcs[t->nr++] = slot->text->prog;
	return t->nr < ARRAY_SIZE(t->funcs);
}

static int look(struct kprobe *probe, struct pt_regs *regs)
{
	struct thrown *t = container_of(probe, struct thrown, probe);

	t->nr = 0;
	rcu_read_lock();
	fastterm_arch_walk(regs, see, t);
	rcu_read_unlock();
	return 0;
}

static void look_no_more(void *probe)
{
	unregister_kprobe(probe);
}

/* The last instruction of a function calls: the return would be behind its end. */
static void suffix_throws_at_end(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_CALL_REL(2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_1, COOKIE),
		ftk_kfunc(test, "bpf_throw"),
		/* Nobody comes here, and the verifier removes it. */
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

static u64 refusals(const struct bpf_prog *prog)
{
	u64 nr = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		nr += u64_stats_read(&per_cpu_ptr(prog->stats, cpu)->misses);
	return nr;
}

/*
 * A program is attached to a function that another one calls on its way out: then it is
 * not entered, and it is entered when that function is called at any other time.
 */
static void expect_refused(struct kunit *test, const struct bpf_prog *attached,
			   const struct ftk_map *count)
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_shape shape = {
		2, .entered = &entered, .body = FTK_SNIPPET(body_helper),
	};
	const s64 things = atomic_read(&ftk_things);
	const struct bpf_insn once[] = {
		ftk_kfunc(test, "ftk_thing_get"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		ftk_kfunc(test, "ftk_thing_put"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	const struct bpf_prog *prog = ftk_load(test, once, ARRAY_SIZE(once), &opts);
	static const u64 ctx[MAX_BPF_FUNC_ARGS];
	struct ftk_runner *r;
	const u32 key = 0;
	u64 nr;

	ftk_hold_things(test, &shape);
	r = ftk_runner(test, &shape, &opts);
	ftk_kick(test, r, NR_KICKS, PHASE_NS, 99);
	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(count, &key, &nr));
	KUNIT_EXPECT_EQ(test, nr, 0);
	KUNIT_EXPECT_GE(test, refusals(attached), NR_KICKS);
	ftk_run(prog, ctx);
	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(count, &key, &nr));
	KUNIT_EXPECT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&ftk_things), things);
}

static void suffix_refuses_fentry(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.func = "ftk_thing_put",
	};
	struct bpf_prog *attached;

	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		kunit_skip(test, "no ftrace direct calls: no trampolines for functions");
	attached = ftk_load_counter(test, &count, &opts);
	ftk_attach(test, attached);
	expect_refused(test, attached, &count);
}

static void suffix_refuses_kprobe(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_KPROBE };
	struct bpf_prog *attached;

	if (!IS_ENABLED(CONFIG_KPROBES_ON_FTRACE))
		kunit_skip(test, "no kprobes on ftrace: they have interrupts off");
	attached = ftk_load_counter(test, &count, &opts);
	ftk_attach_kprobe(test, attached, (unsigned long)ftk_thing_put);
	expect_refused(test, attached, &count);
}

/**
 * struct visitor - what interrupts a program on its way out
 * @probe: is hit when it calls a function, and asks for the interrupt
 * @work: the interrupt
 * @nr: how many of them there were
 * @leaving: and how many while the program was leaving
 */
struct visitor {
	struct kprobe probe;
	struct irq_work work;
	u32 nr;
	u32 leaving;
};

static int ask_for_visit(struct kprobe *probe, struct pt_regs *regs)
{
	irq_work_queue(&container_of(probe, struct visitor, probe)->work);
	return 0;
}

static noinline __noclone u32 ftk_visit(u32 nr)
{
	barrier_data(&nr);
	return nr + 1;
}

static void visit(struct irq_work *work)
{
	struct visitor *v = container_of(work, struct visitor, work);

	v->nr = ftk_visit(v->nr);
	v->leaving += atomic_read(this_cpu_ptr(&fastterm_activation.state)) == FASTTERM_LEAVING;
}

static void visit_no_more(void *data)
{
	struct visitor *v = data;

	unregister_kprobe(&v->probe);
	irq_work_sync(&v->work);
}

/* What interrupts it may enter programs. */
static void suffix_is_interrupted(struct kunit *test)
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_shape shape = {
		2, .entered = &entered, .body = FTK_SNIPPET(body_helper),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	const struct ftk_opts fentry = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.func = "ftk_visit",
	};
	struct visitor *v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);
	struct bpf_prog *attached;
	const u32 key = 0;
	u64 nr;

	KUNIT_ASSERT_NOT_NULL(test, v);
	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		kunit_skip(test, "no ftrace direct calls: no trampolines for functions");
	attached = ftk_load_counter(test, &count, &fentry);
	ftk_attach(test, attached);
	v->work = IRQ_WORK_INIT_HARD(visit);
	v->probe.addr = (kprobe_opcode_t *)ftk_probed((unsigned long)ftk_thing_put);
	v->probe.pre_handler = ask_for_visit;
	KUNIT_ASSERT_EQ(test, register_kprobe(&v->probe), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, visit_no_more, v), 0);
	ftk_hold_things(test, &shape);
	ftk_kick(test, ftk_runner(test, &shape, &opts), NR_KICKS, PHASE_NS, 99);
	kunit_release_action(test, visit_no_more, v);
	KUNIT_EXPECT_GE(test, v->leaving, NR_KICKS);
	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(&count, &key, &nr));
	KUNIT_EXPECT_EQ(test, nr, v->nr);
	KUNIT_EXPECT_EQ(test, refusals(attached), 0);
}

static struct kunit_case suffix_cases[] = {
	KUNIT_CASE(suffix_faults),
	KUNIT_CASE(suffix_throws),
	KUNIT_CASE(suffix_throws_at_end),
	KUNIT_CASE_SLOW(suffix_refuses_fentry),
	KUNIT_CASE_SLOW(suffix_refuses_kprobe),
	KUNIT_CASE_SLOW(suffix_is_interrupted),
	{}
};

static struct kunit_suite suffix_suite = {
	.name = "fastterm_suffix",
	.init = ftk_requester_init,
	.exit = ftk_requester_exit,
	.test_cases = suffix_cases,
};

kunit_test_suite(suffix_suite);
