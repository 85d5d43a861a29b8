// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching BPF programs, for KUnit test cases; see attach.h
 */

#include <linux/bpf.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/ftrace.h>
#include <linux/kstrtox.h>
#include <linux/lockdep.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/trace_events.h>
#include <linux/uaccess.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "attach.h"
#include "file.h"
#include "prog.h"
#include "syscall.h"

/**
 * ftk_patching_begin() - prepare for ftrace patching functions
 *
 * ftrace stops the machine on riscv to patch code. It takes text_mutex and then cpu_hotplug_lock
 * there, while kprobes and jump labels take these locks in the opposite order. lockdep would
 * report this, and would then report no other locking bug.
 *
 * Context: the thread that causes the patching; it has to call ftk_patching_end().
 */
void ftk_patching_begin(void)
{
	if (IS_ENABLED(CONFIG_RISCV))
		lockdep_off();
}

/**
 * ftk_patching_end() - end what ftk_patching_begin() has begun
 *
 * Context: that of ftk_patching_begin().
 */
void ftk_patching_end(void)
{
	if (IS_ENABLED(CONFIG_RISCV))
		lockdep_on();
}

/*
 * Closing the descriptor in a kernel thread leaves the release to a worker. Wait for it, or the
 * link would stay.
 */
static void close_link(void *fd)
{
	ftk_patching_begin();
	close_fd((unsigned long)fd);
	flush_delayed_fput();
	ftk_patching_end();
}

/* Create a link for a program. It is destroyed when the case ends. Returns its descriptor. */
static int ftk_link(struct kunit *test, int cmd, union bpf_attr *attr)
{
	int fd;

	ftk_patching_begin();
	fd = kern_sys_bpf(cmd, attr, sizeof(*attr));
	ftk_patching_end();
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, close_link,
							   (void *)(unsigned long)fd));
	return fd;
}

/**
 * ftk_attach() - attach a program to the function that it was loaded for
 * @test: the test case, at whose end it is detached
 * @prog: a program with ftk_opts.target or ftk_opts.func
 *
 * Context: the thread of the test case.
 * Return: the link's descriptor.
 */
int ftk_attach(struct kunit *test, struct bpf_prog *prog)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.prog_fd = ftk_prog_fd(test, prog);
	return ftk_link(test, BPF_RAW_TRACEPOINT_OPEN, &attr);
}

/**
 * ftk_detach() - detach a program before the test case ends
 * @test: the test case
 * @fd: what ftk_attach() has returned
 *
 * Context: the thread of the test case.
 */
void ftk_detach(struct kunit *test, int fd)
{
	kunit_release_action(test, close_link, (void *)(unsigned long)fd);
}

static void free_event(void *event)
{
	perf_event_release_kernel(event);
}

/**
 * ftk_attach_event() - attach a program to a perf event
 * @test: the test case, at whose end it is detached
 * @prog: the program, of a type that can be attached to perf events
 * @attr: attributes of the event
 * @cpu: the CPU on which the event counts, or -1 for any CPU on which this task runs
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
 * ftk_attach_kprobe() - attach a program to a kernel address by a kprobe, as libbpf does
 * @test: the test case, at whose end it is detached
 * @prog: the program
 * @addr: the address; for the entry of a function, see ftk_probed()
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
 * ftk_attach_kprobe_multi() - attach a program to a function by a kprobe_multi link
 * @test: the test case, at whose end it is detached
 * @prog: a program with ftk_opts.expected_attach_type of BPF_TRACE_KPROBE_MULTI
 * @func: the function
 *
 * Context: the thread of the test case.
 */
void ftk_attach_kprobe_multi(struct kunit *test, struct bpf_prog *prog, unsigned long func)
{
	char __user *addrs = ftk_user_memory(test, sizeof(u64));
	const u64 addr = func;
	union bpf_attr attr;

	KUNIT_ASSERT_EQ(test, copy_to_user(addrs, &addr, sizeof(addr)), 0);

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = ftk_prog_fd(test, prog);
	attr.link_create.attach_type = BPF_TRACE_KPROBE_MULTI;
	attr.link_create.kprobe_multi.cnt = 1;
	attr.link_create.kprobe_multi.addrs = (unsigned long)addrs;
	ftk_link(test, BPF_LINK_CREATE, &attr);
}

/**
 * ftk_probed() - the address at which a kprobe on a function can be placed
 * @func: its address
 *
 * This is the first instruction, unless ftrace owns it and kprobes cannot share it.
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
