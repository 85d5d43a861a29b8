// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs each program of /demo twice: with the watchdog off, until we switch it
 * on, and with it on; and records what became of the CPU, of the process that
 * it happened to, and of what the program held.
 *
 * While a program runs away, RCU waits for it on most hooks: nothing may be done
 * here that waits for RCU. What is needed is there before.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fts.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../demo/state.h"
#include "attach.h"
#include "events.h"
#include "guest.h"
#include "loader.h"
#include "refs.h"
#include "watchdog.h"
#include "world.h"

#define PROGRAMS "/demo"
#define MAX_PROGS 4

/* Where programs run away. We are elsewhere. */
#define CPU 1

/* How long the CPU is looked at, with the watchdog off and while nothing runs. */
#define MOMENT (200 * NS_PER_MS)

/* What other processes and we write into. */
static struct {
	volatile __u64 beats;	/* of a process that runs when the CPU is free */
	volatile __u64 stirred;	/* everything has happened once */
} *shared;

static const char *const resources[] = {
	[DEMO_TASK] = "task", [DEMO_SOCKET] = "socket", [DEMO_RECORD] = "record",
	[DEMO_OBJECT] = "object", [DEMO_LOCK] = "lock", [DEMO_SECTION] = "section",
	[DEMO_ITERATOR] = "iterator",
};

/* A program and what belongs to it. */
struct demo {
	const char *name;
	struct bpf_object *object;
	volatile struct demo_state *state;
	struct attachment attached[MAX_PROGS];
	__u32 ids[MAX_PROGS];
	int nr;
	bool sleepable;
	struct ring_buffer *records;
};

/* What the kernel itself says of the resources. */
struct counted {
	__u64 task;	/* references to the task */
	__u64 socket;	/* references to the socket */
	__u64 record;	/* bytes of the ring buffer that are not consumed */
};

static struct bpf_object *refs;
static pid_t heart;

/* What runs on a CPU that has nothing else to do. */
static pid_t start_heart(void)
{
	const struct sched_param none = {};
	pid_t pid = fork();

	if (pid)
		return pid;
	world_pin(CPU);
	sched_setscheduler(0, SCHED_IDLE, &none);
	for (;;) {
		guest_wait(2 * NS_PER_MS);
		shared->beats++;
	}
}

static __u64 beats_in(__u64 ns)
{
	__u64 before = shared->beats;

	guest_wait(ns);
	return shared->beats - before;
}

static __u64 task_refs(pid_t pid)
{
	struct refs asked = { .pid = pid };
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &asked, .ctx_size_in = sizeof(asked));
	struct bpf_program *prog = bpf_object__find_program_by_name(refs, "count");

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &options))
		perror("refs");
	return asked.users;
}

/*
 * Of the end of a TCP connection that has this port; see
 * Documentation/networking/proc_net_tcp.rst.
 */
static __u64 socket_refs(unsigned short wanted)
{
	unsigned long long count, users = 0;
	unsigned int port, state;
	char line[256];
	FILE *file;

	file = fopen("/proc/net/tcp", "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*d: %*x:%x %*x:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %*u %llu",
			   &port, &state, &count) != 3)
			continue;
		if (port == wanted && state == BPF_TCP_ESTABLISHED)
			users = count;
	}
	fclose(file);
	return users;
}

static int take_record(void *data, void *bytes, size_t size)
{
	return 0;
}

static __u64 unconsumed(const struct demo *demo)
{
	if (!demo->records)
		return 0;
	ring_buffer__consume(demo->records);
	return ring__avail_data_size(ring_buffer__ring(demo->records, 0));
}

static struct counted count(const struct demo *demo)
{
	return (struct counted){
		.task = task_refs(demo->state->task),
		.socket = socket_refs(world_port()),
		.record = unconsumed(demo),
	};
}

static bool counts_are(const struct demo *demo, const struct counted *wanted)
{
	struct counted is = count(demo);

	return is.task == wanted->task && is.socket == wanted->socket &&
	       is.record == wanted->record;
}

static __u64 number_of(const struct counted *counted, enum demo_resource what)
{
	switch (what) {
	case DEMO_TASK:
		return counted->task;
	case DEMO_SOCKET:
		return counted->socket;
	default:
		return counted->record;
	}
}

/* A process to which everything happens once, when a byte is written to @go. */
static pid_t start_victim(const struct demo *demo, int *go)
{
	const struct sched_param first = { .sched_priority = 1 };
	int pipes[2], i;
	char byte;
	pid_t pid;

	if (pipe(pipes))
		perror("pipe");
	shared->stirred = 0;
	pid = fork();
	if (pid) {
		close(pipes[0]);
		*go = pipes[1];
		return pid;
	}
	close(pipes[1]);
	world_pin(CPU);
	/* On some hooks a program can be preempted. It is to be seen there as well. */
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		perror("sched_setscheduler");
	if (read(pipes[0], &byte, 1) == 1) {
		for (i = 0; i < demo->nr; i++)
			attachment_stir(&demo->attached[i]);
		world_stir();
		shared->stirred = 1;
	}
	for (;;)
		pause();
}

static bool is_ours(const struct demo *demo, __u32 id)
{
	int i;

	for (i = 0; i < demo->nr; i++)
		if (demo->ids[i] == id)
			return true;
	return false;
}

/* Start a victim and arm the program: what happens to it now lets it run away. */
static pid_t let_loose(struct demo *demo)
{
	struct event event;
	pid_t pid;
	int go;

	/* Events of what came before. */
	while (events_next(&event))
		;
	memset((void *)demo->state, 0, sizeof(*demo->state));
	demo->state->cpu = CPU;
	demo->state->task = heart;
	pid = start_victim(demo, &go);
	demo->state->pid = pid;
	__atomic_store_n(&demo->state->armed, 1, __ATOMIC_RELEASE);
	if (write(go, "", 1) != 1)
		perror("go");
	close(go);
	return pid;
}

static void end_victim(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The machine has a CPU that does not come back: nothing more can be shown. */
static void give_up(const char *what)
{
	record_string("stuck", what);
	record_end();
	guest_abandon();
}

/*
 * With the watchdog off: for a moment, then it is switched on. False if the
 * program was not run.
 */
static bool without_watchdog(struct demo *demo)
{
	volatile struct demo_state *state = demo->state;
	__u64 free_beats, beats, ran, turns, on;
	bool survived, by_itself;
	pid_t pid;

	watchdog_switch(false);
	free_beats = beats_in(MOMENT);
	pid = let_loose(demo);
	if (!guest_wait_for(state->running)) {
		watchdog_switch(true);
		end_victim(pid);
		return false;
	}
	beats = beats_in(MOMENT);
	kill(pid, SIGKILL);
	guest_wait(20 * NS_PER_MS);
	survived = !waitpid(pid, NULL, WNOHANG);
	turns = state->turns;
	ran = guest_now() - state->began;
	by_itself = state->ended;

	on = guest_now();
	watchdog_switch(true);
	if (!guest_wait_for(state->ended))
		give_up("it did not end when the watchdog was switched on");
	record_number("free_beats", free_beats);
	record_number("off_beats", beats);
	record_number("off_survived", survived);
	record_number("off_ended", by_itself);
	record_number("off_ran", ran);
	record_number("off_turns", turns);
	record_number("all_turns", state->all_turns);
	record_number("off_until_end", guest_now() - on);
	if (survived && !guest_wait_for(waitpid(pid, NULL, WNOHANG)))
		give_up("the process that it ran in did not end");
	return true;
}

static void record_resources(const volatile struct demo_state *state, const struct counted at[3])
{
	int what, when;

	record_open("resources");
	for (what = 0; what < DEMO_RESOURCES; what++) {
		if (!state->held[what])
			continue;
		record_open(NULL);
		record_string(NULL, resources[what]);
		record_number(NULL, state->held[what]);
		record_number(NULL, state->released[what]);
		for (when = 0; what <= DEMO_RECORD && when < 3; when++)
			record_number(NULL, number_of(&at[when], what));
		record_close();
	}
	record_close();
}

/* Everything that the kernel has told of this program's terminations. */
static void record_events(const struct demo *demo)
{
	struct event event;

	record_open("events");
	while (events_next(&event)) {
		if (!is_ours(demo, event.id) || !strcmp(event.kind, "redirect"))
			continue;
		record_open(NULL);
		record_string(NULL, event.kind);
		record_number(NULL, event.time);
		record_number(NULL, event.kicks);
		record_number(NULL, event.frames);
		record_number(NULL, event.exit_ns);
		record_number(NULL, event.ran_ns);
		record_close();
	}
	record_close();
}

/* The number in fdinfo, of all programs together; false if there is none. */
static bool terminations(const struct demo *demo, __u64 *sum)
{
	struct watchdog_did did;
	int i;

	*sum = 0;
	for (i = 0; i < demo->nr; i++) {
		if (!watchdog_did(bpf_program__fd(demo->attached[i].prog), &did))
			return false;
		*sum += did.terminations;
	}
	return true;
}

static bool with_watchdog(struct demo *demo)
{
	volatile struct demo_state *state = demo->state;
	__u64 before = 0, after = 0;
	struct counted at[3];
	bool told;
	pid_t pid;

	told = terminations(demo, &before);
	/* What the last round has left behind goes away by itself. */
	guest_wait(MOMENT);
	demo->state->task = heart;
	at[0] = count(demo);
	pid = let_loose(demo);
	if (!guest_wait_for(state->running)) {
		end_victim(pid);
		return false;
	}
	at[1] = count(demo);
	if (!guest_wait_for(state->ended))
		give_up("the watchdog did not end it");
	record_number("returned", guest_wait_for(shared->stirred));
	guest_wait_for(counts_are(demo, &at[0]));
	at[2] = count(demo);
	terminations(demo, &after);
	record_number("began", state->began);
	if (told)
		record_number("terminations", after - before);
	record_resources(demo->state, at);
	record_events(demo);
	end_victim(pid);
	return true;
}

/* RCU, the CPU, and the programs, which go when nobody holds them any more. */
static void record_alive(struct demo *demo)
{
	bool gone = true;
	int i;

	record_number("beats", beats_in(MOMENT));
	record_number("rcu", !syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	for (i = 0; i < demo->nr; i++)
		detach(&demo->attached[i]);
	ring_buffer__free(demo->records);
	bpf_object__close(demo->object);
	for (i = 0; i < demo->nr; i++)
		gone = guest_wait_for(loader_is_gone(demo->ids[i])) && gone;
	record_number("gone", gone);
}

static void record_error(const char *what)
{
	const char *text = loader_complaint();

	record_string("error", *text ? text : what);
}

/* The kernel does not say; libbpf goes by the section, and so do we. */
static bool may_sleep(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	return bpf_program__type(prog) == BPF_PROG_TYPE_SYSCALL ||
	       !strncmp(section + strcspn(section, "./"), ".s/", 3);
}

/* Load it and attach it. False: an error has been recorded. */
static bool prepare(struct demo *demo, const char *path)
{
	struct bpf_prog_info info;
	struct bpf_program *prog;
	struct bpf_map *map;
	size_t length;
	__u32 size;

	loader_forget();
	demo->object = bpf_object__open_file(path, NULL);
	if (!demo->object || bpf_object__load(demo->object)) {
		record_error(strerror(errno));
		return false;
	}
	bpf_object__for_each_map(map, demo->object) {
		if (!strcmp(bpf_map__name(map), ".data.demo"))
			demo->state = bpf_map__initial_value(map, &length);
		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
			demo->records = ring_buffer__new(bpf_map__fd(map), take_record, NULL, NULL);
	}
	if (!demo->state) {
		record_error("it has no state to share");
		return false;
	}
	bpf_object__for_each_program(prog, demo->object) {
		if (demo->nr == MAX_PROGS || !attach(&demo->attached[demo->nr], prog)) {
			record_error(demo->attached[demo->nr].error);
			return false;
		}
		memset(&info, 0, sizeof(info));
		size = sizeof(info);
		bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &size);
		demo->ids[demo->nr++] = info.id;
		demo->sleepable |= may_sleep(prog);
		record_string("hook", bpf_program__section_name(prog));
		record_string("where", demo->attached[demo->nr - 1].where);
	}
	return true;
}

static void demonstrate(const char *path)
{
	struct demo demo = { .name = strrchr(path, '/') + 1 };

	record_begin("program");
	record_string("program", demo.name);
	if (prepare(&demo, path)) {
		if (!without_watchdog(&demo) || !with_watchdog(&demo))
			record_error("nothing that happened has run it");
		record_number("budget", watchdog_budget(demo.sleepable && !demo.state->in_timer));
		record_alive(&demo);
	}
	record_end();
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int main(void)
{
	char *roots[] = { PROGRAMS, NULL };
	bool watchdog, events;
	int programs = 0;
	FTSENT *entry;
	FTS *tree;

	guest_begin();
	loader_begin();
	world_pin(0);
	world_begin();
	watchdog = watchdog_begin();
	events = events_begin();
	record_begin("machine");
	record_number("watchdog", watchdog);
	record_number("events", events);
	record_end();
	if (!watchdog || !events)
		guest_end();

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	refs = bpf_object__open_file("/refs.bpf.o", NULL);
	if (shared == MAP_FAILED || !refs || bpf_object__load(refs))
		guest_end();
	heart = start_heart();
	guest_wait_for(guest_has_settled());

	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	while ((entry = fts_read(tree))) {
		if (entry->fts_info != FTS_F)
			continue;
		demonstrate(entry->fts_path);
		programs++;
	}
	record_begin("end");
	record_number("programs", programs);
	record_end();
	guest_end();
}
