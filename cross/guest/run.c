// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads every object in /objects, one after another, attaches all of its
 * programs, lets things happen on all CPUs for a while, and records what became
 * of each program.
 *
 * From the kernel's command line: PROG=, the one program that is wanted of an
 * object; SECONDS=, for how long; SITES=, whether to show what debugfs says.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach.h"
#include "events.h"
#include "guest.h"
#include "loader.h"
#include "watchdog.h"
#include "world.h"

#define STATS "/proc/sys/kernel/bpf_stats_enabled"
#define SITES "/sys/kernel/debug/bpf_fastterm/%u"
#define MAX_CPUS 64
#define MAX_MAPS 64
#define MAX_EXITS 1024

/**
 * struct ran - a program, and what became of it
 * @attached: how it is attached
 * @name: its name; as is what follows, this is known when the object is closed
 * @section: its section
 * @type: its type
 * @info: what the kernel tells of it
 * @terminations: how often it was terminated
 * @strikes: how often it was terminated for its own time
 * @quarantined_ms: for how long it was quarantined, in ms
 * @kicks: interrupts that this took
 * @frames: frames of programs that were moved
 * @nr_exits: number of @exits
 * @exits: time from the kick to the exit, in ns, of the first terminations
 * @report: what we say of it in debugfs
 * @known: there is such a report
 * @sites: all of that, if it is asked for
 */
struct ran {
	struct attachment attached;
	char *name;
	char *section;
	const char *type;
	struct bpf_prog_info info;
	__u64 terminations;
	__u64 strikes;
	__u64 quarantined_ms;
	__u64 kicks;
	__u64 frames;
	int nr_exits;
	__u64 exits[MAX_EXITS];
	struct fastterm_report report;
	bool known;
	char *sites;
};

static const char *object_name;
static struct ran *progs;
static int nr_progs;
static struct bpf_link *registered[MAX_MAPS];
static int nr_registered;
static volatile bool *stop;

static void record_failure(const char *error)
{
	record_begin("failed");
	record_string("object", object_name);
	record_string("error", error);
	record_end();
}

static struct bpf_object *load(const char *path)
{
	const char *wanted = getenv("PROG");
	struct bpf_program *prog;
	struct bpf_object *object;
	bool found = false;

	object = bpf_object__open_file(path, NULL);
	if (!object)
		return NULL;
	bpf_object__for_each_program(prog, object) {
		if (!wanted)
			continue;
		bpf_program__set_autoload(prog, !strcmp(wanted, bpf_program__name(prog)));
		found |= bpf_program__autoload(prog);
	}
	if (wanted && !found) {
		errno = ESRCH;
		return NULL;
	}
	loader_prepare_maps(object);
	return bpf_object__load(object) ? NULL : object;
}

static void fail_struct_ops(const struct bpf_map *map, int error)
{
	struct attachment *a;
	int i;

	for (i = 0; i < nr_progs; i++) {
		a = &progs[i].attached;
		if (bpf_program__type(a->prog) == BPF_PROG_TYPE_STRUCT_OPS && !*a->error)
			snprintf(a->error, sizeof(a->error), "struct_ops map %s: %s",
				 bpf_map__name(map), strerror(error));
	}
}

/* Programs of struct_ops run where their map is registered. */
static void attach_maps(struct bpf_object *object)
{
	struct bpf_link *link;
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS || !bpf_map__autocreate(map) ||
		    nr_registered == MAX_MAPS)
			continue;
		link = bpf_map__attach_struct_ops(map);
		if (link)
			registered[nr_registered++] = link;
		else
			fail_struct_ops(map, errno);
	}
}

static void attach_all(struct bpf_object *object)
{
	struct bpf_program *prog;
	struct ran *ran;
	__u32 size;

	bpf_object__for_each_program(prog, object)
		nr_progs += bpf_program__fd(prog) >= 0;
	progs = calloc(nr_progs + 1, sizeof(*progs));
	ran = progs;
	bpf_object__for_each_program(prog, object) {
		if (bpf_program__fd(prog) < 0)
			continue;
		attach(&ran->attached, prog);
		ran->name = strdup(bpf_program__name(prog));
		ran->section = strdup(bpf_program__section_name(prog));
		ran->type = libbpf_bpf_prog_type_str(bpf_program__type(prog)) ?: "";
		size = sizeof(ran->info);
		bpf_prog_get_info_by_fd(bpf_program__fd(prog), &ran->info, &size);
		ran++;
	}
	attach_maps(object);
}

/* Let things happen on a CPU, in a process of its own. */
static pid_t start_worker(int cpu)
{
	pid_t pid = fork();
	int i;

	if (pid)
		return pid;
	world_pin(cpu);
	while (!*stop) {
		for (i = 0; i < nr_progs; i++)
			attachment_stir(&progs[i].attached);
		world_stir();
	}
	_exit(0);
}

static void take_events(void)
{
	struct event event;
	struct ran *ran;

	while (events_next(&event)) {
		for (ran = progs; ran < progs + nr_progs; ran++)
			if (ran->info.id == event.id)
				break;
		if (ran == progs + nr_progs || strcmp(event.kind, "exit"))
			continue;
		ran->terminations++;
		ran->kicks += event.kicks;
		ran->frames += event.frames;
		if (ran->nr_exits < MAX_EXITS)
			ran->exits[ran->nr_exits++] = event.exit_ns;
	}
}

/* With @signal, help it along. */
static bool all_have_ended(pid_t *workers, int nr, int signal)
{
	int i, left = 0;

	for (i = 0; i < nr; i++) {
		if (workers[i] > 0 && signal)
			kill(workers[i], signal);
		if (workers[i] > 0 && waitpid(workers[i], NULL, WNOHANG))
			workers[i] = 0;
		left += workers[i] > 0;
	}
	return !left;
}

/* False if something does not come back. */
static bool let_run(__u64 ns)
{
	int cpu, cpus = libbpf_num_possible_cpus();
	__u64 end = guest_now() + ns;
	pid_t workers[MAX_CPUS];

	if (cpus > MAX_CPUS)
		cpus = MAX_CPUS;
	*stop = false;
	for (cpu = 0; cpu < cpus; cpu++)
		workers[cpu] = start_worker(cpu);
	while (guest_now() < end) {
		guest_wait(10 * NS_PER_MS);
		take_events();
	}
	*stop = true;
	/* A program may have taken from one what it waits for. */
	if (!guest_wait_for(all_have_ended(workers, cpus, 0)) &&
	    !guest_wait_for(all_have_ended(workers, cpus, SIGKILL)))
		return false;
	take_events();
	return true;
}

static char *read_sites(__u32 id)
{
	char path[64], *text = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), SITES, id);
	file = fopen(path, "r");
	if (!file)
		return NULL;
	if (getdelim(&text, &size, 0, file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

/* What its programs have written down, in a section of that name. */
static void record_out(const struct bpf_object *object)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, ".data.out");
	const __u64 *out;
	size_t size, i;

	if (!map)
		return;
	out = bpf_map__initial_value((struct bpf_map *)map, &size);
	record_begin("out");
	record_string("object", object_name);
	record_open("out");
	for (i = 0; i < size / sizeof(*out); i++)
		record_number(NULL, out[i]);
	record_close();
	record_end();
}

/* What is known of it as long as it is loaded. */
static void examine(struct ran *ran)
{
	int fd = bpf_program__fd(ran->attached.prog);
	__u32 size = sizeof(ran->info);
	struct watchdog_did did;

	memset(&ran->info, 0, size);
	bpf_prog_get_info_by_fd(fd, &ran->info, &size);
	if (watchdog_did(fd, &did)) {
		ran->terminations = did.terminations;
		ran->strikes = did.strikes;
		ran->quarantined_ms = did.quarantined_ms;
	}
	ran->known = fastterm_report(ran->info.id, &ran->report);
	if (getenv("SITES"))
		ran->sites = read_sites(ran->info.id);
}

static int by_length(const void *a, const void *b)
{
	const __u64 *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

static void record_ran(struct ran *ran, bool leaked)
{
	qsort(ran->exits, ran->nr_exits, sizeof(*ran->exits), by_length);
	record_begin("program");
	record_string("object", object_name);
	record_string("name", ran->name);
	record_string("type", ran->type);
	record_string("section", ran->section);
	record_string("attach", ran->attached.where);
	record_string("error", ran->attached.error);
	record_number("image", ran->known ? ran->report.image_bytes : 0);
	record_string("long", ran->report.why_long);
	record_string("no_image", ran->known ? ran->report.no_image :
		      "the kernel knows nothing of it");
	record_string("refused", ran->report.refused);
	record_number("bound", ran->report.bound);
	record_number("bound_calls", ran->report.calls);
	record_string("kept", ran->report.kept);
	record_string("loop", ran->report.loop);
	record_number("activations", ran->info.run_cnt);
	record_number("terminations", ran->terminations);
	record_number("strikes", ran->strikes);
	record_number("quarantined_ms", ran->quarantined_ms);
	record_number("kicks", ran->kicks);
	record_number("frames", ran->frames);
	record_number("median", ran->nr_exits ? ran->exits[ran->nr_exits / 2] : 0);
	record_number("longest", ran->nr_exits ? ran->exits[ran->nr_exits - 1] : 0);
	record_number("leaked", leaked);
	if (ran->sites)
		record_string("sites", ran->sites);
	record_end();
}

static void run(const char *path)
{
	const char *seconds = getenv("SECONDS");
	struct bpf_object *object;
	struct ran *ran;

	object_name = loader_name(path);
	loader_forget();
	object = load(path);
	if (!object) {
		record_failure(*loader_complaint() ? loader_complaint() :
			       errno == ESRCH ? "it has no program of that name" : strerror(errno));
		return;
	}
	attach_all(object);
	if (!nr_progs) {
		record_failure("it has no program that is loaded by itself");
		return;
	}
	if (!let_run(NS_PER_MS * 1000 * (seconds ? strtod(seconds, NULL) : 1))) {
		record_begin("stuck");
		record_string("object", object_name);
		record_end();
		guest_abandon();
	}
	record_out(object);
	for (ran = progs; ran < progs + nr_progs; ran++)
		examine(ran);
	for (ran = progs; ran < progs + nr_progs; ran++)
		detach(&ran->attached);
	while (nr_registered)
		bpf_link__destroy(registered[--nr_registered]);
	bpf_object__close(object);
	for (ran = progs; ran < progs + nr_progs; ran++)
		record_ran(ran, !guest_wait_for(loader_is_gone(ran->info.id)));
}

static void record_death(const char *path)
{
	object_name = loader_name(path);
	record_failure("the loader died");
}

static void count_runs(void)
{
	FILE *file = fopen(STATS, "w");

	if (!file || fputs("1", file) < 0 || fclose(file))
		perror(STATS);
}

int main(void)
{
	int objects;

	guest_begin();
	loader_begin();
	world_begin();
	count_runs();
	stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	record_begin("machine");
	record_number("watchdog", watchdog_begin());
	record_number("events", events_begin());
	record_end();
	guest_wait_for(guest_has_settled());

	objects = loader_each_object(run, record_death);
	record_begin("end");
	record_number("objects", objects);
	record_end();
	guest_end();
}
