// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination of programs that hold resources
 *
 * A program that is terminated releases everything that it has acquired. Each case counts one
 * kind of resource before and after.
 */

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/in.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/pid.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/sched/task.h>
#include <linux/skbuff.h>

#include <net/inet_connection_sock.h>
#include <net/net_namespace.h>

#include <kunit/test.h>

#include "attach.h"
#include "btf.h"
#include "kfuncs.h"
#include "map.h"
#include "prog.h"
#include "runaway.h"

/* How often each program is terminated. */
#define NR_TIMES	100

/*
 * The same for programs that hold a lock: without NMIs, a kick has to wait until they release
 * it.
 */
#define NR_TIMES_LOCKED	10

/**
 * struct held - a resource and how it is counted
 * @test: the test case
 * @shape: the program that holds it
 * @context: the program's context, or NULL for the usual one
 * @map: a map that it uses
 * @sk: a socket that it uses
 * @count: returns how many of the resource there are
 */
struct held {
	struct kunit *test;
	struct ftk_shape shape;
	const void *context;
	struct ftk_map map;
	struct sock *sk;
	s64 (*count)(struct held *held);
};

static void put(struct held *held, struct ftk_snippet *where, const struct bpf_insn *insns,
		u32 cnt)
{
	memcpy(ftk_snippet(held->test, where, cnt), insns, cnt * sizeof(*insns));
}

static s64 count_things(struct held *held)
{
	return atomic_read(&ftk_things);
}

static void hold_things(struct held *held)
{
	ftk_hold_things(held->test, &held->shape);
	held->count = count_things;
}

static s64 count_task(struct held *held)
{
	s64 refs;

	rcu_read_lock();
	refs = refcount_read(&find_task_by_pid_ns(1, &init_pid_ns)->rcu_users);
	rcu_read_unlock();
	return refs;
}

static void hold_task(struct held *held)
{
	const struct bpf_insn before[] = {
		BPF_MOV64_IMM(BPF_REG_1, 1),
		ftk_kfunc(held->test, "bpf_task_from_pid"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 1),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
	};
	const struct bpf_insn after[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
		ftk_kfunc(held->test, "bpf_task_release"),
	};

	put(held, &held->shape.before, before, ARRAY_SIZE(before));
	put(held, &held->shape.after, after, ARRAY_SIZE(after));
	held->count = count_task;
}

static void close_device(void *dev)
{
	rtnl_lock();
	dev_close(dev);
	rtnl_unlock();
}

static void open_device(struct kunit *test, struct net_device *dev)
{
	int err;

	if (dev->flags & IFF_UP)
		return;
	rtnl_lock();
	err = dev_open(dev, NULL);
	rtnl_unlock();
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, close_device, dev));
}

static void release_socket(void *sock)
{
	sock_release(sock);
}

static struct socket *tcp_socket(struct kunit *test)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP,
						  &sock));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, release_socket, sock));
	return sock;
}

/* A connected socket: the programs acquire no reference of a listening socket. */
static struct sock *connected_socket(struct kunit *test)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr *at = (struct sockaddr *)&addr;
	struct socket *server, *client;

	open_device(test, init_net.loopback_dev);
	server = tcp_socket(test);
	client = tcp_socket(test);
	KUNIT_ASSERT_EQ(test, 0, kernel_bind(server, at, sizeof(addr)));
	KUNIT_ASSERT_EQ(test, 0, kernel_listen(server, 1));
	KUNIT_ASSERT_EQ(test, kernel_getsockname(server, at), sizeof(addr));
	KUNIT_ASSERT_EQ(test, 0, kernel_connect(client, at, sizeof(addr), 0));
	/* A timer that is armed or running holds a reference, too. */
	inet_csk_clear_xmit_timers_sync(client->sk);
	return client->sk;
}

static s64 count_socket(struct held *held)
{
	return refcount_read(&held->sk->sk_refcnt);
}

static void free_packet(void *skb)
{
	kfree_skb(skb);
}

static void hold_socket(struct held *held)
{
	struct kunit *test = held->test;
	struct sock *sk = connected_socket(test);
	const struct inet_sock *inet = inet_sk(sk);
	struct sk_buff *skb;
	const struct bpf_insn before[] = {
		/* Addresses and ports of a packet to the socket. */
		BPF_ST_MEM(BPF_W, BPF_REG_10, -32, (__force u32)inet->inet_daddr),
		BPF_ST_MEM(BPF_W, BPF_REG_10, -28, (__force u32)inet->inet_saddr),
		BPF_ST_MEM(BPF_H, BPF_REG_10, -24, (__force u16)inet->inet_dport),
		BPF_ST_MEM(BPF_H, BPF_REG_10, -22, (__force u16)inet->inet_sport),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -32),
		BPF_MOV64_IMM(BPF_REG_3, sizeof_field(struct bpf_sock_tuple, ipv4)),
		BPF_MOV64_IMM(BPF_REG_4, BPF_F_CURRENT_NETNS),
		BPF_MOV64_IMM(BPF_REG_5, 0),
		FTK_CALL(BPF_FUNC_sk_lookup_tcp),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 1),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
	};
	const struct bpf_insn after[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
		FTK_CALL(BPF_FUNC_sk_release),
	};

	skb = alloc_skb(0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_packet, skb));
	skb->dev = init_net.loopback_dev;
	held->context = skb;
	held->sk = sk;
	put(held, &held->shape.before, before, ARRAY_SIZE(before));
	put(held, &held->shape.after, after, ARRAY_SIZE(after));
	held->count = count_socket;
}

static atomic_t released;

static int see_release(struct kprobe *probe, struct pt_regs *regs)
{
	atomic_inc(&released);
	return 0;
}

static void unregister_probe(void *probe)
{
	unregister_kprobe(probe);
}

/* The program counts its acquisitions, and a probe counts the calls of @symbol. */
static s64 count_balance(struct held *held)
{
	return *(u64 *)container_of(held->map.map, struct bpf_array, map)->value -
	       atomic_read(&released);
}

static void hold_counted(struct held *held, const struct ftk_snippet *get,
			 const struct ftk_snippet *put, const char *symbol)
{
	struct kunit *test = held->test;
	struct kprobe *probe = kunit_kzalloc(test, sizeof(*probe), GFP_KERNEL);
	unsigned long func;

	KUNIT_ASSERT_NOT_NULL(test, probe);
	held->map = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	ftk_hold_fifty(test, &held->shape, get, put, &held->map);
	held->count = count_balance;
	func = kallsyms_lookup_name(symbol);
	KUNIT_ASSERT_NE_MSG(test, func, 0, "%s", symbol);
	probe->addr = (kprobe_opcode_t *)ftk_probed(func);
	probe->pre_handler = see_release;
	KUNIT_ASSERT_EQ(test, register_kprobe(probe), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister_probe, probe), 0);
	atomic_set(&released, 0);
}

static void hold_objects(struct held *held)
{
	const struct bpf_insn get[] = {
		BPF_MOV64_IMM(BPF_REG_1, FTK_TYPE_NODE),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		ftk_kfunc(held->test, "bpf_obj_new_impl"),
	};
	const struct bpf_insn put[] = {
		BPF_MOV64_IMM(BPF_REG_2, 0),
		ftk_kfunc(held->test, "bpf_obj_drop_impl"),
	};
	const struct ftk_snippet getter = FTK_SNIPPET(get), putter = FTK_SNIPPET(put);

	hold_counted(held, &getter, &putter, "bpf_obj_drop_impl");
}

/* Nothing consumes the records, so the ring buffer has room for all that are reserved. */
static void hold_records(struct held *held)
{
	struct ftk_map m = ftk_map(held->test, BPF_MAP_TYPE_RINGBUF, 0, 0, 1024 * 1024, 0);
	const struct bpf_insn get[] = {
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_IMM(BPF_REG_2, 8),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_ringbuf_reserve),
	};
	const struct bpf_insn put[] = {
		BPF_MOV64_IMM(BPF_REG_2, 0),
		FTK_CALL(BPF_FUNC_ringbuf_discard),
	};
	const struct ftk_snippet getter = FTK_SNIPPET(get), putter = FTK_SNIPPET(put);

	hold_counted(held, &getter, &putter, "bpf_ringbuf_discard");
}

/* The thread that runs the program checks that it has left these sections. */
static void hold_sections(struct held *held)
{
	const struct bpf_insn before[] = {
		ftk_kfunc(held->test, "bpf_rcu_read_lock"),
		ftk_kfunc(held->test, "bpf_preempt_disable"),
	};
	const struct bpf_insn after[] = {
		ftk_kfunc(held->test, "bpf_preempt_enable"),
		ftk_kfunc(held->test, "bpf_rcu_read_unlock"),
	};

	put(held, &held->shape.before, before, ARRAY_SIZE(before));
	put(held, &held->shape.after, after, ARRAY_SIZE(after));
}

static s64 count_lock(struct held *held)
{
	return *(u32 *)container_of(held->map.map, struct bpf_array, map)->value;
}

static void hold_lock(struct held *held)
{
	held->map = ftk_map_typed(held->test);
	ftk_loop_locked(held->test, &held->shape, &held->map);
	held->count = count_lock;
}

/* An iterator that holds a reference, and in its loop another one that does not end. */
static void hold_iterators(struct held *held)
{
	const struct bpf_insn before[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		ftk_kfunc(held->test, "bpf_iter_ftk_thing_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, FTK_FOREVER),
		ftk_kfunc(held->test, "bpf_iter_num_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
		ftk_kfunc(held->test, "bpf_iter_num_next"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -4),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
		ftk_kfunc(held->test, "bpf_iter_num_destroy"),
	};
	const struct bpf_insn after[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		ftk_kfunc(held->test, "bpf_iter_ftk_thing_destroy"),
	};

	put(held, &held->shape.before, before, ARRAY_SIZE(before));
	put(held, &held->shape.after, after, ARRAY_SIZE(after));
	held->count = count_things;
}

static const struct bpf_insn body_nothing[] = {
	BPF_MOV64_IMM(BPF_REG_0, 0),
};

static const struct held_case {
	const char *name;
	enum bpf_prog_type type;
	u32 levels;
	u32 times;
	void (*prepare)(struct held *held);
} helds[] = {
	{ "fifty references", BPF_PROG_TYPE_TRACEPOINT, 2, NR_TIMES, hold_things },
	{ "fifty objects", BPF_PROG_TYPE_SCHED_CLS, 2, NR_TIMES, hold_objects },
	{ "fifty records of a ring buffer", BPF_PROG_TYPE_TRACEPOINT, 2, NR_TIMES, hold_records },
	{ "a socket", BPF_PROG_TYPE_SCHED_CLS, 2, NR_TIMES, hold_socket },
	{ "a task", BPF_PROG_TYPE_TRACEPOINT, 2, NR_TIMES, hold_task },
	{ "RCU and preemption", BPF_PROG_TYPE_TRACEPOINT, 2, NR_TIMES, hold_sections },
	/* Tracing programs may not take a spin lock. */
	{ "a spin lock", BPF_PROG_TYPE_SCHED_CLS, 1, NR_TIMES_LOCKED, hold_lock },
	{ "iterators", BPF_PROG_TYPE_TRACEPOINT, 0, NR_TIMES, hold_iterators },
};

KUNIT_ARRAY_PARAM_DESC(helds, helds, name);

static void held_given_back(struct kunit *test)
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct held_case *c = test->param_value;
	const struct ftk_opts opts = { .type = c->type };
	struct held held = {
		.test = test,
		.shape = { c->levels, .entered = &entered, .body = FTK_SNIPPET(body_nothing) },
	};
	struct fastterm_outcome outcome = {};
	struct ftk_runner *r;
	s64 before, after;
	int err = 0;
	u32 i;

	c->prepare(&held);
	r = ftk_runner(test, &held.shape, &opts);
	r->context = held.context;
	r->once = true;
	for (i = 0; i < c->times && !err; i++) {
		before = held.count ? held.count(&held) : 0;
		ftk_runner_start(test, r, 1);
		if (ftk_runner_entered(r)) {
			udelay(get_random_u32_below(100));
			err = ftk_terminate(r, &outcome);
		} else {
			err = -ETIMEDOUT;
		}
		ftk_runner_end(test, r);
		after = held.count ? held.count(&held) : 0;
		KUNIT_EXPECT_EQ(test, before, after);
	}
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "at %u", i);
	KUNIT_EXPECT_EQ(test, i, c->times);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
}

static struct kunit_case held_cases[] = {
	KUNIT_CASE_PARAM(held_given_back, helds_gen_params),
	{}
};

static struct kunit_suite held_suite = {
	.name = "fastterm_held",
	.init = ftk_requester_init,
	.exit = ftk_requester_exit,
	.test_cases = held_cases,
};

kunit_test_suite(held_suite);
