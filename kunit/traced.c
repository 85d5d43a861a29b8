// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination of programs that are traced or profiled
 *
 * Tracers replace return addresses, or are called between the program and its caller; profilers
 * unwind the stack; CPUs go offline and come back. Programs are terminated all the same, and
 * tracers see what they would see without the termination.
 */

#include <linux/cpu.h>
#include <linux/errno.h>
#include <linux/ftrace.h>
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/perf_event.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>
#include <linux/stacktrace.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "attach.h"
#include "map.h"
#include "prog.h"
#include "runaway.h"

#define NR_KICKS	500

/*
 * Percentage of activations that are gone after the first kick. If the function graph tracer is
 * interrupted while it replaces a return address or restores it, the address is left alone until
 * the next kick, and this happens often. Under KASAN, one kick in eight that finds a kretprobe
 * has been seen to need another one.
 */
#define PERCENT			99
#define PERCENT_GRAPH		50
#define PERCENT_KRETPROBE	(IS_ENABLED(CONFIG_KASAN) ? 80 : 99)

/* perf's default is 4 kHz. The period is longer if samples take most of the CPU's time. */
#define SAMPLE_NS	(250 * NSEC_PER_USEC)

/* Number of samples from which the duration of one is measured, and that a run needs at least. */
#define NR_SAMPLES	10

/* The program is kicked up to this many ns after it has been entered. */
#define PHASE_NS	50000

/* A helper that calls further functions. The loops around it are not inlined. */
static const struct bpf_insn body[] = {
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 1),
	BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
	BPF_MOV64_IMM(BPF_REG_2, 8),
	BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
	FTK_CALL(BPF_FUNC_probe_read_kernel),
	FTK_CALL(BPF_FUNC_get_current_uid_gid),
};

static struct ftk_runner *start(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_shape shape = { 3, true, .entered = &m, .body = FTK_SNIPPET(body) };

	return ftk_runner(test, &shape, NULL);
}

#ifdef CONFIG_FUNCTION_GRAPH_TRACER
static atomic_t graph_entries, graph_returns;

static int graph_entry(struct ftrace_graph_ent *entry, struct fgraph_ops *ops)
{
	atomic_inc(&graph_entries);
	return 1;
}

static void graph_return(struct ftrace_graph_ret *ret, struct fgraph_ops *ops)
{
	atomic_inc(&graph_returns);
}

static struct fgraph_ops graph_ops = {
	.entryfunc = graph_entry,
	.retfunc = graph_return,
};

static void trace_no_more(void *ops)
{
	ftk_patching_begin();
	unregister_ftrace_graph(ops);
	ftk_patching_end();
}

/* All functions that the tracer has seen being entered return, and return to the right place. */
static void traced_by_graph(struct kunit *test)
{
	static const char * const functions[] = {
		"bpf_loop", "copy_from_kernel_nofault", "bpf_get_current_uid_gid",
	};
	struct ftk_runner *r = start(test);
	u32 i;
	int err;

	for (i = 0; i < ARRAY_SIZE(functions); i++)
		KUNIT_ASSERT_EQ_MSG(test, 0,
				    ftrace_set_filter(&graph_ops.ops, (u8 *)functions[i],
						      strlen(functions[i]), !i),
				    "%s", functions[i]);
	ftk_patching_begin();
	err = register_ftrace_graph(&graph_ops);
	ftk_patching_end();
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, trace_no_more, &graph_ops));
	atomic_set(&graph_entries, 0);
	atomic_set(&graph_returns, 0);
	ftk_kick(test, r, NR_KICKS, PHASE_NS, PERCENT_GRAPH);
	kunit_release_action(test, trace_no_more, &graph_ops);
	KUNIT_EXPECT_GT(test, atomic_read(&graph_entries), 3 * NR_KICKS);
	KUNIT_EXPECT_EQ(test, atomic_read(&graph_entries), atomic_read(&graph_returns));
}
#endif

static atomic_t probe_entries, probe_returns;

static int probe_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	atomic_inc(&probe_entries);
	return 0;
}

static int probe_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	atomic_inc(&probe_returns);
	return 0;
}

static struct kretprobe probe;

static int register_probe(const char *symbol)
{
	probe = (struct kretprobe){
		.entry_handler = probe_entry,
		.handler = probe_return,
		.maxactive = 64,
		.kp.symbol_name = symbol,
	};
	return register_kretprobe(&probe);
}

static void probe_no_more(void *kretprobe)
{
	unregister_kretprobe(kretprobe);
}

/*
 * A kretprobe on bpf_loop(), which is on the stack three times. Where bpf_loop() cannot be
 * probed, one on bpf_probe_read_kernel().
 */
static void traced_by_kretprobe(struct kunit *test)
{
	struct ftk_runner *r = start(test);

	if (register_probe("bpf_loop"))
		KUNIT_ASSERT_EQ(test, register_probe("bpf_probe_read_kernel"), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, probe_no_more, &probe));
	atomic_set(&probe_entries, 0);
	atomic_set(&probe_returns, 0);
	ftk_kick(test, r, NR_KICKS, PHASE_NS, PERCENT_KRETPROBE);
	kunit_release_action(test, probe_no_more, &probe);
	KUNIT_EXPECT_GT(test, atomic_read(&probe_entries), NR_KICKS);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe_entries), atomic_read(&probe_returns));
}

/* A program at the exit of the program, entered through a trampoline. */
static void traced_by_programs(struct kunit *test)
{
	struct ftk_runner *r = start(test);
	struct ftk_map counts = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts fexit = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FEXIT,
		.target = r->prog,
	};
	const u32 key = 0;
	u64 exits;

	ftk_attach(test, ftk_load_counter(test, &counts, &fexit));
	ftk_kick(test, r, NR_KICKS, PHASE_NS, PERCENT);
	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(&counts, &key, &exits));
	KUNIT_EXPECT_EQ(test, exits, r->runs);
}

static atomic_t samples;

/* Unwind the interrupted stack, whether it has a tag or not. */
static void sample(struct perf_event *event, struct perf_sample_data *data,
		   struct pt_regs *regs)
{
	unsigned long stack[32];

	stack_trace_save_regs(regs, stack, ARRAY_SIZE(stack), 0);
	atomic_inc(&samples);
}

static void free_event(void *event)
{
	perf_event_release_kernel(event);
}

static struct perf_event *sample_every(struct kunit *test, u64 ns)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.sample_period = ns,
	};
	struct perf_event *event = perf_event_create_kernel_counter(&attr, 1, NULL, sample, NULL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, event);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_event, event));
	atomic_set(&samples, 0);
	return event;
}

/*
 * Measure, on the sampled CPU, the least time in ns that a sample takes. This uses the CPU's own
 * clock, since the kernel's does not advance on a CPU whose clock is behind that of others.
 */
static int time_away(void *data)
{
	u64 *away = data, begin, ns, hit = U64_MAX, missed = U64_MAX;
	unsigned long end = jiffies + FTK_PATIENCE;
	u32 i, nr = 0;
	bool sampled;
	int before;

	while (nr < NR_SAMPLES && time_before(jiffies, end)) {
		begin = sched_clock();
		before = atomic_read(&samples);
		/* Much longer than reading the clock, so that few samples come while it is read. */
		for (i = 0; i < 100000; i++)
			barrier();
		sampled = before != atomic_read(&samples);
		ns = sched_clock() - begin;
		if (sampled) {
			hit = min(hit, ns);
			nr++;
		} else {
			missed = min(missed, ns);
		}
	}
	/* If there is a sample in each measurement, samples take nearly all of the time. */
	*away = missed == U64_MAX ? hit : hit - min(hit, missed);
	return nr < NR_SAMPLES ? -ETIMEDOUT : 0;
}

static void traced_by_perf(struct kunit *test)
{
	struct ftk_runner *r = start(test);
	struct perf_event *event = sample_every(test, 10 * NSEC_PER_MSEC);
	unsigned long end;
	u64 away, period;

	KUNIT_ASSERT_EQ(test, 0, smp_call_on_cpu(1, time_away, &away, false));
	kunit_release_action(test, free_event, event);
	period = max_t(u64, SAMPLE_NS, 4 * away);
	end = jiffies + FTK_PATIENCE;
	sample_every(test, period);
	/*
	 * Repeat this until there are enough samples, since the event's clock may not advance
	 * steadily.
	 */
	do {
		ftk_kick(test, r, 4 * NR_KICKS, PHASE_NS, PERCENT);
	} while (atomic_read(&samples) < NR_SAMPLES && time_before(jiffies, end));
	kunit_info(test, "%d samples, one every %llu us\n", atomic_read(&samples),
		   div_u64(period, NSEC_PER_USEC));
	KUNIT_EXPECT_GE(test, atomic_read(&samples), NR_SAMPLES);
}

static int plug(void *unused)
{
	const u32 cpu = num_online_cpus() - 1;
	int err = 0;

	while (!kthread_should_stop() && !err) {
		err = remove_cpu(cpu) ?: add_cpu(cpu);
		schedule_timeout_uninterruptible(1);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return err;
}

static void traced_by_hotplug(struct kunit *test)
{
	struct ftk_runner *r = start(test);
	struct task_struct *other;

	if (num_online_cpus() < 3)
		kunit_skip(test, "two processors: none of them can go");
	other = kthread_run(plug, NULL, "ftk_plug");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	ftk_kick(test, r, NR_KICKS, PHASE_NS, PERCENT);
	KUNIT_EXPECT_EQ(test, kthread_stop(other), 0);
}

static struct kunit_case traced_cases[] = {
#ifdef CONFIG_FUNCTION_GRAPH_TRACER
	KUNIT_CASE(traced_by_graph),
#endif
	KUNIT_CASE(traced_by_kretprobe),
	KUNIT_CASE(traced_by_programs),
	KUNIT_CASE(traced_by_perf),
	KUNIT_CASE(traced_by_hotplug),
	{}
};

static struct kunit_suite traced_suite = {
	.name = "fastterm_traced",
	.init = ftk_requester_init,
	.exit = ftk_requester_exit,
	.test_cases = traced_cases,
};

kunit_test_suite(traced_suite);
