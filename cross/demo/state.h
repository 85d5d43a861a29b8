/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program of the demonstration shares with who runs it: the one variable
 * of the map .data.demo.
 */
#ifndef DEMO_STATE_H
#define DEMO_STATE_H

/* What a program may hold while it runs. */
enum demo_resource {
	DEMO_TASK,	/* a reference to the task with the pid that it is given */
	DEMO_SOCKET,	/* a reference to a TCP socket */
	DEMO_RECORD,	/* a record of its ring buffer that is not submitted yet */
	DEMO_OBJECT,	/* an object that it has allocated */
	DEMO_LOCK,	/* a spin lock */
	DEMO_SECTION,	/* a section in which RCU must wait, or nothing may preempt */
	DEMO_ITERATOR,	/* an iterator with something in its hands */
	DEMO_RESOURCES
};

/**
 * struct demo_state - one program's
 * @armed: the next event that fits lets it run away, once
 * @pid: whose event fits; programs that run on behalf of nobody do not ask
 * @cpu: on which CPU
 * @task: the task to take a reference to
 * @began: when it did, bpf_ktime_get_ns()
 * @turns: how many turns of its innermost loop it has taken
 * @all_turns: how many it wants to take
 * @running: it has begun, and holds what it holds
 * @ended: it has reached its end
 * @in_timer: it runs in a timer's callback, and may not sleep, whatever its program may
 * @port: of the socket that it holds a reference to
 * @held: how many it has taken, of each resource
 * @released: how many it has given back
 */
struct demo_state {
	__u32 armed;
	__u32 pid;
	__u32 cpu;
	__u32 task;
	__u64 began;
	__u64 turns;
	__u64 all_turns;
	__u32 running;
	__u32 ended;
	__u32 in_timer;
	__u32 port;
	__u32 held[DEMO_RESOURCES];
	__u32 released[DEMO_RESOURCES];
};

#endif
