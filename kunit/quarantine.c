// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quarantine: programs that are not entered for a while
 *
 * The entry of a program belongs to trampolines and to the quarantine. In whatever order programs
 * are attached to it and detached, and it is quarantined and released, it does its work, and what
 * is attached does, whenever it is not quarantined, and never while it is. Meanwhile, the program
 * runs on all CPUs.
 */

#include <linux/bpf.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "../entry.h"
#include "../program.h"
#include "../quarantine.h"
#include "attach.h"
#include "btf.h"
#include "file.h"
#include "map.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"
#include "watch.h"

#define NR_RUNNERS	4

/* The value of a counter, an array of one u64. */
static u64 counted(const struct ftk_map *count)
{
	return READ_ONCE(*(u64 *)container_of(count->map, struct bpf_array, map)->value);
}

#define WORK_LEN	(4 + FTK_COUNT_LEN)

/*
 * A program that counts its runs. In its stub image the call is skipped and returns an error, and
 * the run is not counted.
 */
static void work(struct bpf_insn insns[WORK_LEN], const struct ftk_map *count, u32 result)
{
	const struct bpf_insn begin[] = {
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_JMP_IMM(BPF_JSLT, BPF_REG_0, 0, FTK_COUNT_LEN),
	};
	const struct bpf_insn end[] = { BPF_MOV64_IMM(BPF_REG_0, result), BPF_EXIT_INSN() };

	memcpy(insns, begin, sizeof(begin));
	ftk_count(insns + ARRAY_SIZE(begin), count);
	memcpy(insns + ARRAY_SIZE(begin) + FTK_COUNT_LEN, end, sizeof(end));
}

static struct bpf_prog *load_work(struct kunit *test, const struct ftk_map *count, u32 result,
				  const struct ftk_opts *opts)
{
	struct bpf_insn insns[WORK_LEN];

	work(insns, count, result);
	return ftk_load(test, insns, ARRAY_SIZE(insns), opts);
}

/**
 * struct patient - a program that is quarantined, and that runs on all CPUs
 * @prog: the program
 * @count: counts its runs
 * @runners: run it
 * @nr: number of @runners
 * @code: its code, before anything was done to it
 */
struct patient {
	struct bpf_prog *prog;
	struct ftk_map count;
	struct ftk_runner *runners;
	u32 nr;
	void *code;
};

static struct patient *patient(struct kunit *test)
{
	struct patient *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* Also if the case is aborted: the program is put after this. */
static void stop(void *patient)
{
	struct patient *p = patient;
	u32 i;

	for (i = 0; i < p->nr; i++)
		WRITE_ONCE(p->runners[i].stop, true);
	for (i = 0; i < p->nr; i++)
		kthread_stop(p->runners[i].thread);
	p->nr = 0;
}

static void begin(struct kunit *test, struct patient *p, const struct ftk_opts *opts, u32 result)
{
	u32 i;

	p->count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	p->prog = load_work(test, &p->count, result, opts);
	KUNIT_ASSERT_NOT_NULL(test, fastterm_of(p->prog)->images);
	p->code = kunit_kmalloc(test, p->prog->jited_len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p->code);
	memcpy(p->code, p->prog->bpf_func, p->prog->jited_len);
	p->runners = kunit_kcalloc(test, NR_RUNNERS, sizeof(*p->runners), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p->runners);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action(test, stop, p));
	for (i = 0; i < min_t(u32, NR_RUNNERS, num_online_cpus()); i++) {
		p->runners[i].prog = p->prog;
		ftk_runner_start(test, &p->runners[i], i);
		p->nr++;
	}
}

/* All that runs when this is called has run when it returns. */
static void settle(struct kunit *test, const struct patient *p)
{
	const unsigned long end = jiffies + FTK_PATIENCE;
	u64 runs;
	u32 i;

	for (i = 0; i < p->nr; i++) {
		runs = READ_ONCE(p->runners[i].runs);
		while (READ_ONCE(p->runners[i].runs) < runs + 2) {
			KUNIT_ASSERT_TRUE(test, time_before(jiffies, end));
			schedule_timeout_uninterruptible(1);
		}
	}
}

static void end(struct kunit *test, struct patient *p)
{
	const u32 nr = p->nr;
	u32 i;

	kunit_release_action(test, stop, p);
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(test, p->runners[i].broken, 0);
	KUNIT_EXPECT_MEMEQ(test, p->code, p->prog->bpf_func, p->prog->jited_len);
}

/**
 * struct attachment - what is attached to the program
 * @name: its name
 * @type: its type; 0 if nothing is
 * @attach: its attach type
 * @replaces: it runs instead of the program
 */
struct attachment {
	const char *name;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	bool replaces;
};

static const struct attachment attachments[] = {
	{ "nothing" },
	{ "fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY },
	{ "fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT },
	{ "freplace", BPF_PROG_TYPE_EXT, 0, true },
};

KUNIT_ARRAY_PARAM_DESC(attachments, attachments, name);

/* a: attach, d: detach, q: quarantine, r: release. */
static const char *const orders[] = { "adqr", "aqdr", "aqrd", "qadr", "qard", "qrad" };

static bool moved(const struct ftk_map *count, u64 *before)
{
	const u64 was = *before;

	*before = counted(count);
	return *before != was;
}

static void follow(struct kunit *test, struct patient *p, const struct attachment *a,
		   const char *order)
{
	struct ftk_map hung_count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = {
		.type = a->type, .expected_attach_type = a->attach, .target = p->prog,
		.xdp = a->replaces,
	};
	struct bpf_prog *hung = a->type ? load_work(test, &hung_count, 0, &opts) : NULL;
	bool attached = false, quarantined = false;
	u64 done = 0, seen = 0;
	const char *step;
	int fd = -1;

	for (step = order; *step; step++) {
		ftk_patching_begin();
		switch (*step) {
		case 'a':
			fd = hung ? ftk_attach(test, hung) : -1;
			attached = hung;
			break;
		case 'd':
			if (hung)
				ftk_detach(test, fd);
			attached = false;
			break;
		default:
			quarantined = *step == 'q';
			KUNIT_EXPECT_EQ(test, 0, bpf_fastterm_quarantine(p->prog, quarantined));
			break;
		}
		ftk_patching_end();
		/* A trampoline that has been detached may still run. */
		settle(test, p);
		moved(&p->count, &done);
		moved(&hung_count, &seen);
		settle(test, p);
		KUNIT_EXPECT_EQ_MSG(test, moved(&p->count, &done),
				    !quarantined && !(attached && a->replaces), "%s of %s: %s",
				    step, order, a->name);
		KUNIT_EXPECT_EQ_MSG(test, moved(&hung_count, &seen), !quarantined && attached,
				    "%s of %s: %s", step, order, a->name);
	}
	if (hung)
		ftk_unload(test, hung);
}

static void quarantine_orders(struct kunit *test)
{
	const struct attachment *a = test->param_value;
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_XDP, .xdp = true };
	struct patient *p = patient(test);
	u32 i;

	begin(test, p, &opts, XDP_PASS);
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		follow(test, p, a, orders[i]);
	end(test, p);
}

static const struct hooked {
	const char *name;
	struct ftk_opts opts;
	u32 result;
} hookeds[] = {
	{ "kprobe", { .type = BPF_PROG_TYPE_KPROBE } },
	{ "tracepoint", { .type = BPF_PROG_TYPE_TRACEPOINT } },
	{ "perf event", { .type = BPF_PROG_TYPE_PERF_EVENT } },
	{ "raw tracepoint", { .type = BPF_PROG_TYPE_RAW_TRACEPOINT } },
	{ "tc", { .type = BPF_PROG_TYPE_SCHED_CLS }, 2 },
	{ "cgroup", { .type = BPF_PROG_TYPE_CGROUP_SKB,
		      .expected_attach_type = BPF_CGROUP_INET_INGRESS }, 1 },
	{ "fmod_ret", { .type = BPF_PROG_TYPE_TRACING,
			.expected_attach_type = BPF_MODIFY_RETURN, .func = "ftk_guarded" } },
	{ "LSM", { .type = BPF_PROG_TYPE_LSM, .expected_attach_type = BPF_LSM_MAC,
		   .func = "bpf_lsm_file_open" } },
	{ "socket filter", { .type = BPF_PROG_TYPE_SOCKET_FILTER }, 1 },
};

KUNIT_ARRAY_PARAM_DESC(hookeds, hookeds, name);

static void quarantine_hooks(struct kunit *test)
{
	const struct hooked *h = test->param_value;
	struct patient *p = patient(test);

	begin(test, p, &h->opts, h->result);
	follow(test, p, &attachments[0], "qr");
	follow(test, p, &attachments[1], "aqrd");
	follow(test, p, &attachments[1], "qadr");
	end(test, p);
}

/* Tail calls of a program that is quarantined are not taken, and the map still has the program. */
static void quarantine_tail(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2, 0);
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS };
	struct bpf_insn direct[] = {
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 7),
		BPF_EXIT_INSN(),
	};
	struct bpf_insn by_map[] = {
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
		FTK_CALL(BPF_FUNC_get_smp_processor_id),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_0),
		BPF_ALU64_IMM(BPF_AND, BPF_REG_3, 0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 7),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *callers[] = {
		ftk_load(test, direct, ARRAY_SIZE(direct), &opts),
		ftk_load(test, by_map, ARRAY_SIZE(by_map), &opts),
	};
	struct bpf_prog *callee = load_work(test, &count, 2, &opts);
	struct bpf_prog *other = load_work(test, &count, 3, &opts);
	int fd = ftk_prog_fd(test, callee), other_fd = ftk_prog_fd(test, other);
	struct ftk_raw_tp_ctx ctx = {};
	u32 i, id;

	ftk_map_update(test, &m, &(u32){0}, &fd);
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		KUNIT_EXPECT_EQ(test, ftk_run(callers[i], &ctx), 2);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(callee, true));
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		KUNIT_EXPECT_EQ(test, ftk_run(callers[i], &ctx), 7);
	KUNIT_EXPECT_EQ(test, 0, bpf_fd_array_map_lookup_elem(m.map, &(u32){0}, &id));
	KUNIT_EXPECT_EQ(test, id, callee->aux->id);
	/* Another program takes its place, and it comes back while it is quarantined. */
	ftk_map_update(test, &m, &(u32){0}, &other_fd);
	KUNIT_EXPECT_EQ(test, ftk_run(callers[0], &ctx), 3);
	ftk_map_update(test, &m, &(u32){0}, &fd);
	KUNIT_EXPECT_EQ(test, 0, bpf_fd_array_map_lookup_elem(m.map, &(u32){0}, &id));
	KUNIT_EXPECT_EQ(test, id, callee->aux->id);
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		KUNIT_EXPECT_EQ(test, ftk_run(callers[i], &ctx), 7);
	ftk_map_update(test, &m, &(u32){1}, &fd);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(callee, false));
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		KUNIT_EXPECT_EQ(test, ftk_run(callers[i], &ctx), 2);
	KUNIT_EXPECT_EQ(test, 0, bpf_fd_array_map_lookup_elem(m.map, &(u32){1}, &id));
	KUNIT_EXPECT_EQ(test, id, callee->aux->id);
	/* It is removed while it is quarantined. */
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(callee, true));
	KUNIT_EXPECT_EQ(test, 0, m.map->ops->map_delete_elem(m.map, &(u32){0}));
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(callee, false));
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		KUNIT_EXPECT_EQ(test, ftk_run(callers[i], &ctx), 7);
	KUNIT_EXPECT_EQ(test, -ENOENT, bpf_fd_array_map_lookup_elem(m.map, &(u32){0}, &id));
}

/*
 * A tail call of a program whose denial is imposed is taken: the caller must not go on, and permit
 * what the program would deny.
 */
static void quarantine_tail_guard(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_CGROUP_SKB, .expected_attach_type = BPF_CGROUP_INET_INGRESS,
	};
	const struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 1),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *caller = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
	struct bpf_prog *callee = load_work(test, &count, 0, &opts);
	int fd = ftk_prog_fd(test, callee);
	struct ftk_raw_tp_ctx ctx = {};

	KUNIT_EXPECT_EQ(test, ftk_run(caller, &ctx), 1);
	ftk_map_update(test, &m, &(u32){0}, &fd);
	KUNIT_EXPECT_EQ(test, ftk_run(caller, &ctx), 0);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(callee, true));
	KUNIT_EXPECT_EQ(test, ftk_run(caller, &ctx), 0);
	/* Also if it is put there meanwhile. */
	ftk_map_update(test, &m, &(u32){0}, &fd);
	KUNIT_EXPECT_EQ(test, ftk_run(caller, &ctx), 0);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(callee, false));
	KUNIT_EXPECT_EQ(test, ftk_run(caller, &ctx), 0);
}

/* A callback that the kernel calls by itself is an entry as well. */
static void quarantine_callback(struct kunit *test)
{
	const struct ftk_map m = ftk_map_typed(test);
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS };
	const struct bpf_insn arms[] = {
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 1),
		BPF_EXIT_INSN(),
		/* 8 */
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, offsetof(struct ftk_value, timer)),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 4),
		FTK_CALL(BPF_FUNC_timer_set_callback),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* 15: the callback */
	};
	struct bpf_insn insns[ARRAY_SIZE(arms) + WORK_LEN];
	bpf_callback_t callback;
	struct bpf_prog *prog;

	memcpy(insns, arms, sizeof(arms));
	work(insns + ARRAY_SIZE(arms), &count, 0);
	prog = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
	callback = (bpf_callback_t)(void *)fastterm_func(prog, 1)->bpf_func;
	KUNIT_EXPECT_EQ(test, callback(0, 0, 0, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, counted(&count), 1);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(prog, true));
	KUNIT_EXPECT_EQ(test, callback(0, 0, 0, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, counted(&count), 1);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(prog, false));
	KUNIT_EXPECT_EQ(test, callback(0, 0, 0, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, counted(&count), 2);
}

/* How often a program is active, according to the kernel's counts of all CPUs. */
static int activations(const struct bpf_prog *prog)
{
	int cpu, sum = 0;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(prog->active, cpu));
	return sum;
}

/*
 * A program that the kernel would not enter recursively is kept out by that. Afterwards it is
 * entered as before, on all CPUs.
 */
static void quarantine_counts(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map hung_count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_XDP };
	struct bpf_prog *prog = load_work(test, &count, XDP_PASS, &opts);
	const struct ftk_opts hanging = {
		.type = BPF_PROG_TYPE_TRACING, .expected_attach_type = BPF_TRACE_FENTRY,
		.target = prog,
	};
	struct bpf_prog *hung = load_work(test, &hung_count, 0, &hanging);
	struct ftk_raw_tp_ctx ctx = {};

	ftk_attach(test, hung);
	ftk_run(prog, &ctx);
	KUNIT_EXPECT_EQ(test, counted(&hung_count), 1);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(hung, true));
	KUNIT_EXPECT_EQ(test, activations(hung), num_online_cpus());
	ftk_run(prog, &ctx);
	KUNIT_EXPECT_EQ(test, counted(&hung_count), 1);
	KUNIT_ASSERT_EQ(test, 0, bpf_fastterm_quarantine(hung, false));
	KUNIT_EXPECT_EQ(test, activations(hung), 0);
	ftk_run(prog, &ctx);
	KUNIT_EXPECT_EQ(test, counted(&hung_count), 2);
	KUNIT_EXPECT_EQ(test, counted(&count), 3);
}

/* What runs instead of programs is found again, also where the JIT hides constants. */
static void quarantine_constants(struct kunit *test)
{
	const int harden_before = bpf_jit_harden;
	void *first, *again;

	bpf_jit_harden = 2;
	first = fastterm_returning(0x77);
	again = fastterm_returning(0x77);
	bpf_jit_harden = harden_before;
	KUNIT_EXPECT_NOT_NULL(test, first);
	KUNIT_EXPECT_PTR_EQ(test, first, again);
}

/* Where an entry leads to a far target through memory, its patches are a grace period apart. */
static void quarantine_far(struct kunit *test)
{
	const void *entry = (void *)ftk_load_short(test, BPF_PROG_TYPE_XDP)->bpf_func;

	KUNIT_EXPECT_FALSE(test, fastterm_arch_is_far(entry, entry + SZ_1M));
	KUNIT_EXPECT_FALSE(test, fastterm_arch_is_far(entry, entry - SZ_1M));
	KUNIT_EXPECT_EQ(test, fastterm_arch_is_far(entry, entry + SZ_128M),
			IS_ENABLED(CONFIG_ARM64));
	KUNIT_EXPECT_EQ(test, fastterm_arch_is_far(entry, entry - SZ_128M),
			IS_ENABLED(CONFIG_ARM64));
}

/*
 * A program that is unloaded while it is quarantined leaves nothing behind: one that is loaded to
 * the same place can be attached to.
 */
static void quarantine_unload(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map seen = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_XDP };
	struct ftk_opts hanging = {
		.type = BPF_PROG_TYPE_TRACING, .expected_attach_type = BPF_TRACE_FENTRY,
	};
	struct ftk_raw_tp_ctx ctx = {};
	struct bpf_prog *prog;
	void *first = NULL;
	bool again = false;
	u32 i;

	for (i = 1; i <= 8; i++) {
		prog = load_work(test, &count, XDP_PASS, &opts);
		first = first ?: (void *)prog->bpf_func;
		again |= i > 1 && prog->bpf_func == first;
		ftk_run(prog, &ctx);
		KUNIT_EXPECT_EQ(test, counted(&count), i);
		KUNIT_EXPECT_EQ(test, 0, bpf_fastterm_quarantine(prog, true));
		ftk_run(prog, &ctx);
		KUNIT_EXPECT_EQ(test, counted(&count), i);
		if (i == 8)
			break;
		ftk_unload(test, prog);
		KUNIT_EXPECT_EQ(test, ftk_drain(), 0);
	}
	if (!again)
		kunit_info(test, "no program was loaded to the place of another one\n");
	hanging.target = prog;
	KUNIT_EXPECT_EQ(test, 0, bpf_fastterm_quarantine(prog, false));
	ftk_attach(test, load_work(test, &seen, 0, &hanging));
	ftk_run(prog, &ctx);
	KUNIT_EXPECT_EQ(test, counted(&count), 9);
	KUNIT_EXPECT_EQ(test, counted(&seen), 1);
}

bool ftk_patching;
core_param(fastterm_patching, ftk_patching, bool, 0444);

/*
 * An emulator may go on executing what another processor has just patched, as QEMU does before 8.1.
 * On some architectures all processors stop for that; on others they have to take turns here.
 */
static int orders_init(struct kunit *test)
{
	if (!ftk_patching)
		kunit_skip(test, "what runs here cannot be patched (fastterm_patching)");
	return ftk_all_init(test);
}

static void orders_exit(struct kunit *test)
{
	if (ftk_patching)
		ftk_all_exit(test);
}

/* Programs of which the kernel itself counts how often they are active on a CPU. */
#define NR_COUNTED	12

/* However many are quarantined, and also on a CPU that comes online meanwhile. */
static void quarantine_held(struct kunit *test)
{
	const struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_RAW_TRACEPOINT };
	const int last = cpumask_last(cpu_online_mask);
	struct bpf_prog *progs[NR_COUNTED];
	int cpu;
	u32 i;

	if (num_online_cpus() < 2 || !IS_ENABLED(CONFIG_HOTPLUG_CPU))
		kunit_skip(test, "no processor that could go");
	for (i = 0; i < NR_COUNTED; i++)
		progs[i] = load_work(test, &count, 0, &opts);
	KUNIT_ASSERT_EQ(test, remove_cpu(last), 0);
	for (i = 0; i < NR_COUNTED; i++)
		KUNIT_EXPECT_EQ(test, bpf_fastterm_quarantine(progs[i], true), 0);
	KUNIT_ASSERT_EQ(test, add_cpu(last), 0);
	for (i = 0; i < NR_COUNTED; i++)
		for_each_online_cpu(cpu)
			KUNIT_EXPECT_EQ_MSG(test, *per_cpu_ptr(progs[i]->active, cpu), 1,
					    "program %u on CPU %d", i, cpu);
	/* Released while it is offline. */
	KUNIT_ASSERT_EQ(test, remove_cpu(last), 0);
	for (i = 0; i < NR_COUNTED; i++)
		KUNIT_EXPECT_EQ(test, bpf_fastterm_quarantine(progs[i], false), 0);
	KUNIT_ASSERT_EQ(test, add_cpu(last), 0);
	for (i = 0; i < NR_COUNTED; i++)
		for_each_online_cpu(cpu)
			KUNIT_EXPECT_EQ_MSG(test, *per_cpu_ptr(progs[i]->active, cpu), 0,
					    "program %u on CPU %d, released", i, cpu);
}

static struct kunit_case orders_cases[] = {
	KUNIT_CASE_PARAM_ATTR(quarantine_orders, attachments_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(quarantine_hooks, hookeds_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(quarantine_tail),
	KUNIT_CASE(quarantine_tail_guard),
	KUNIT_CASE(quarantine_callback),
	KUNIT_CASE(quarantine_counts),
	KUNIT_CASE(quarantine_constants),
	KUNIT_CASE(quarantine_far),
	KUNIT_CASE(quarantine_unload),
	KUNIT_CASE(quarantine_held),
	{}
};

static struct kunit_suite orders_suite = {
	.name = "fastterm_quarantine",
	.init = orders_init,
	.exit = orders_exit,
	.test_cases = orders_cases,
};

kunit_test_suite(orders_suite);
