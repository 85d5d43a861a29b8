// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads every object in /objects, one after another: each has a program that runs
 * away whenever it is entered. Records how a healthy process on each CPU gets on
 * beside it.
 *
 * From the kernel's command line: SECONDS=, for how long.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach.h"
#include "guest.h"
#include "loader.h"
#include "watchdog.h"
#include "world.h"

#define MAX_CPUS 64

/* For how long a healthy process sleeps in between. */
#define BEAT (2 * NS_PER_MS)

/* The time is looked at in slots. */
#define SLOT (100 * NS_PER_MS)
#define MAX_SLOTS 1000

/* How often the process on each CPU has got on. */
static volatile __u64 *beats;

static pid_t hearts[MAX_CPUS];
static int cpus;

/* A process that makes a system call, and sends a packet, each time that it gets on. */
static pid_t start_heart(int cpu)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	world_pin(cpu);
	for (;;) {
		guest_wait(BEAT);
		world_send();
		beats[cpu]++;
	}
}

/* Record how often each process has got on, in each slot of a time. */
static void record_beats(const char *key, __u64 ns)
{
	static __u64 seen[MAX_SLOTS][MAX_CPUS], lengths[MAX_SLOTS];
	__u64 began = guest_now(), end = began + ns, then = began;
	int nr = 0, slot, cpu;

	for (cpu = 0; cpu < cpus; cpu++)
		seen[0][cpu] = beats[cpu];
	while (guest_now() < end && nr < MAX_SLOTS - 1) {
		guest_wait(SLOT);
		nr++;
		for (cpu = 0; cpu < cpus; cpu++)
			seen[nr][cpu] = beats[cpu];
		/* This process is kept from getting on as well. */
		lengths[nr] = guest_now() - then;
		then += lengths[nr];
	}
	record_open(key);
	for (slot = 1; slot <= nr; slot++) {
		record_open(NULL);
		record_number(NULL, lengths[slot]);
		for (cpu = 0; cpu < cpus; cpu++)
			record_number(NULL, seen[slot][cpu] - seen[slot - 1][cpu]);
		record_close();
	}
	record_close();
}

static void run(const char *path)
{
	const char *seconds = getenv("SECONDS");
	struct bpf_object *object = NULL;
	struct bpf_program *prog = NULL;
	struct attachment a = {};
	struct watchdog_did did;
	__u64 began;

	loader_forget();
	record_begin("program");
	record_string("object", loader_name(path));
	object = bpf_object__open_file(path, NULL);
	if (object && !bpf_object__load(object))
		prog = bpf_object__next_program(object, NULL);
	record_string("hook", prog ? bpf_program__section_name(prog) : "");
	/* What happens without it. */
	record_beats("free", NS_PER_MS * 1000);
	began = guest_now();
	if (!prog || !attach(&a, prog)) {
		record_string("error", *loader_complaint() ? loader_complaint() :
			      *a.error ? a.error : strerror(errno));
		record_end();
		return;
	}
	record_beats("beside", NS_PER_MS * 1000 * (seconds ? atoi(seconds) : 10));
	watchdog_did(bpf_program__fd(prog), &did);
	record_number("terminations", did.terminations);
	record_number("strikes", did.strikes);
	record_number("quarantined_ms", did.quarantined_ms);
	detach(&a);
	bpf_object__close(object);
	record_number("took", guest_now() - began);
	record_end();
}

static void record_death(const char *path)
{
	record_begin("program");
	record_string("object", loader_name(path));
	record_string("error", "the loader died");
	record_end();
}

int main(void)
{
	int objects, cpu;

	guest_begin();
	loader_begin();
	world_begin();
	record_begin("machine");
	record_number("watchdog", watchdog_begin());
	record_end();
	guest_wait_for(guest_has_settled());
	cpus = libbpf_num_possible_cpus();
	if (cpus > MAX_CPUS)
		cpus = MAX_CPUS;
	beats = mmap(NULL, MAX_CPUS * sizeof(*beats), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (beats == MAP_FAILED)
		guest_end();
	for (cpu = 0; cpu < cpus; cpu++)
		hearts[cpu] = start_heart(cpu);
	objects = loader_each_object(run, record_death);
	for (cpu = 0; cpu < cpus; cpu++)
		kill(hearts[cpu], SIGKILL);
	record_begin("end");
	record_number("objects", objects);
	record_end();
	guest_end();
}
