// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "attach.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "world.h"

/* The kernel's own, which no header for programs has. */
#define ENOTSUPP 524

/* What is probed where a program does not say what. */
#define FUNCTION "hrtimer_nanosleep"

static bool failed(struct attachment *a, const char *what)
{
	snprintf(a->error, sizeof(a->error), "%s: %s", what, strerror(errno));
	return false;
}

static bool linked(struct attachment *a, struct bpf_link *link, const char *where)
{
	snprintf(a->where, sizeof(a->where), "%s", where);
	if (!link)
		return failed(a, where);
	a->links[a->nr_links++] = link;
	return true;
}

static bool will_run(struct attachment *a, const struct bpf_program *prog)
{
	/* What makes no sense is refused, and not run; but not by who does not know of any. */
	LIBBPF_OPTS(bpf_test_run_opts, nonsense, .flags = 1U << 31);

	snprintf(a->where, sizeof(a->where), "test run");
	a->runs = bpf_prog_test_run_opts(bpf_program__fd(prog), &nonsense) != -ENOTSUPP;
	if (!a->runs)
		snprintf(a->error, sizeof(a->error),
			 "nothing here runs programs of its type, and they have no test run");
	return a->runs;
}

static bool attach_xdp(struct attachment *a, const struct bpf_program *prog)
{
	struct bpf_link *link;

	/* Those that are called by a map of devices or CPUs go to no device. */
	if (bpf_program__expected_attach_type(prog) > BPF_XDP ||
	    strchr(bpf_program__section_name(prog), '/'))
		return will_run(a, prog);
	link = bpf_program__attach_xdp(prog, world_device());
	/* A device has one. */
	if (!link && errno == EBUSY)
		return will_run(a, prog);
	return linked(a, link, "lo");
}

static bool attach_tc(struct attachment *a, const struct bpf_program *prog)
{
	enum bpf_attach_type type = bpf_program__expected_attach_type(prog);

	/* Those of section "tc" can be either. */
	if (type != BPF_TCX_EGRESS)
		type = BPF_TCX_INGRESS;
	snprintf(a->where, sizeof(a->where), "lo, %s",
		 type == BPF_TCX_EGRESS ? "egress" : "ingress");
	a->fd = bpf_link_create(bpf_program__fd(prog), world_device(), type, NULL);
	return a->fd >= 0 || failed(a, a->where);
}

/* A socket that sees every packet of the device. */
static bool attach_socket(struct attachment *a, const struct bpf_program *prog)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = world_device(),
	};
	int fd = bpf_program__fd(prog);

	snprintf(a->where, sizeof(a->where), "packet socket on lo");
	a->fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (setsockopt(a->fd, SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof(fd)) ||
	    bind(a->fd, (struct sockaddr *)&address, sizeof(address)))
		return failed(a, a->where);
	return true;
}

static bool attach_netns(struct attachment *a, const struct bpf_program *prog)
{
	int fd = open("/proc/self/ns/net", O_RDONLY);
	bool ok = linked(a, bpf_program__attach_netns(prog, fd), "network namespace");

	close(fd);
	return ok;
}

static bool attach_perf_event(struct attachment *a, const struct bpf_program *prog)
{
	struct perf_event_attr event = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(event),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.sample_period = 1,
	};
	int cpu, cpus = libbpf_num_possible_cpus(), fd;
	struct bpf_link *link;

	for (cpu = 0; cpu < cpus && cpu < ATTACH_LINKS; cpu++) {
		fd = syscall(__NR_perf_event_open, &event, -1, cpu, -1, 0);
		if (fd < 0 && errno == ENODEV)
			continue;
		if (fd < 0)
			return failed(a, "page faults");
		link = bpf_program__attach_perf_event(prog, fd);
		if (!link)
			close(fd);
		if (!linked(a, link, "page faults"))
			return false;
	}
	return true;
}

static bool attach_probe(struct attachment *a, const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);
	LIBBPF_OPTS(bpf_uprobe_opts, user, .func_name = "world_stir");

	if (bpf_program__expected_attach_type(prog) == BPF_TRACE_UPROBE_MULTI)
		return linked(a, bpf_program__attach_uprobe_multi(prog, -1, "/init", "world_stir",
								  NULL),
			      "world_stir() of the guest");
	if (bpf_program__expected_attach_type(prog) == BPF_TRACE_KPROBE_MULTI)
		return linked(a, bpf_program__attach_kprobe_multi_opts(prog, FUNCTION, NULL),
			      FUNCTION);
	if (!strncmp(section, "kprobe", 6) || !strncmp(section, "kretprobe", 9))
		return linked(a, bpf_program__attach_kprobe(prog, section[1] == 'r', FUNCTION),
			      FUNCTION);
	user.retprobe = section[1] == 'r';
	return linked(a, bpf_program__attach_uprobe_opts(prog, -1, "/init", 0, &user),
		      "world_stir() of the guest");
}

static bool attach_by_type(struct attachment *a, struct bpf_program *prog)
{
	switch (bpf_program__type(prog)) {
	case BPF_PROG_TYPE_XDP:
		return attach_xdp(a, prog);
	case BPF_PROG_TYPE_SCHED_CLS:
		return attach_tc(a, prog);
	case BPF_PROG_TYPE_SOCKET_FILTER:
		return attach_socket(a, prog);
	case BPF_PROG_TYPE_PERF_EVENT:
		return attach_perf_event(a, prog);
	case BPF_PROG_TYPE_KPROBE:
		return attach_probe(a, prog);
	case BPF_PROG_TYPE_TRACEPOINT:
		return linked(a, bpf_program__attach_tracepoint(prog, "syscalls",
								"sys_enter_getpgid"),
			      "sys_enter_getpgid");
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		return linked(a, bpf_program__attach_raw_tracepoint(prog, "sys_enter"),
			      "sys_enter");
	case BPF_PROG_TYPE_FLOW_DISSECTOR:
	case BPF_PROG_TYPE_SK_LOOKUP:
		return attach_netns(a, prog);
	case BPF_PROG_TYPE_LSM:
	case BPF_PROG_TYPE_SOCK_OPS:
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_CGROUP_SOCK:
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
	case BPF_PROG_TYPE_CGROUP_SOCKOPT:
	case BPF_PROG_TYPE_CGROUP_SYSCTL:
	case BPF_PROG_TYPE_CGROUP_DEVICE:
		return linked(a, bpf_program__attach_cgroup(prog, world_cgroup()), "root cgroup");
	case BPF_PROG_TYPE_STRUCT_OPS:
		snprintf(a->where, sizeof(a->where), "its struct_ops map");
		return true;
	case BPF_PROG_TYPE_EXT:
	case BPF_PROG_TYPE_TRACING:
		return failed(a, "what its section names");
	default:
		return will_run(a, prog);
	}
}

bool attach(struct attachment *a, struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);
	struct bpf_link *link;

	memset(a, 0, sizeof(*a));
	a->prog = prog;
	a->fd = -1;
	a->iterates = !strncmp(section, "iter", 4);
	/* Functions that only test runs of what is attached to them call. */
	a->runs = strstr(section, "/bpf_fentry_test") || strstr(section, "/bpf_modify_return_test");
	link = bpf_program__attach(prog);
	if (!link && errno == EOPNOTSUPP)
		return attach_by_type(a, prog);
	return linked(a, link, strchr(section, '/') ? strchr(section, '/') + 1 : section);
}

/* Packets are Ethernet frames, and large enough for every header that is looked for. */
static void test_run(const struct bpf_program *prog)
{
	char packet[128] = { [12] = 8, [14] = 0x45, [17] = sizeof(packet) - ETH_HLEN,
			     [22] = 64, [23] = IPPROTO_TCP, [46] = 0x50 };
	char context[256] = {};
	LIBBPF_OPTS(bpf_test_run_opts, options);

	if (bpf_program__type(prog) == BPF_PROG_TYPE_SYSCALL) {
		options.ctx_in = context;
		options.ctx_size_in = sizeof(context);
	} else {
		options.data_in = packet;
		options.data_size_in = sizeof(packet);
	}
	bpf_prog_test_run_opts(bpf_program__fd(prog), &options);
}

void attachment_stir(const struct attachment *a)
{
	char bytes[4096];
	int fd;

	if (a->runs)
		test_run(a->prog);
	if (!a->iterates || !a->nr_links)
		return;
	fd = bpf_iter_create(bpf_link__fd(a->links[0]));
	while (fd >= 0 && read(fd, bytes, sizeof(bytes)) > 0)
		;
	if (fd >= 0)
		close(fd);
}

void detach(struct attachment *a)
{
	while (a->nr_links)
		bpf_link__destroy(a->links[--a->nr_links]);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}
