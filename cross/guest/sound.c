// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads every object in /objects, one after another, attaches all of its programs
 * and lets the one that is armed run away, once, on a CPU of its own. The watchdog
 * is to end it. What it did on its way out it has written down itself; that is sent,
 * with what the kernel says of each program.
 *
 * From the kernel's command line: PATIENCE=, in ms, after which it counts as one that does
 * not end.
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
#include "guest.h"
#include "loader.h"
#include "watchdog.h"
#include "world.h"

#define PERIOD "/proc/sys/kernel/bpf_fastterm_period_ms"
#define MAX_PROGS 8
/* As many words as a program has for what it saw; see cross/sound/sound.h. */
#define WORDS 16

/* Where programs run away. We are elsewhere. */
#define CPU 1

/* What the process to which it happens tells us. */
static volatile struct {
	__u64 began;	/* right before it arms the program */
	__u64 armed;	/* whether it has */
	__u64 ended;	/* right after its system call */
} *shared;

/**
 * struct sound - an object, and what it shares with us
 * @name: its name
 * @object: the object
 * @armed: whether the next event is to run away with
 * @out: what its programs saw
 * @attached: its programs
 * @nr: number of @attached
 */
struct sound {
	const char *name;
	struct bpf_object *object;
	volatile int *armed;
	volatile __u64 *out;
	struct attachment attached[MAX_PROGS];
	int nr;
};

static void record_failure(const char *name, const char *error)
{
	record_begin("failed");
	record_string("object", name);
	record_string("error", error);
	record_end();
}

/* Its memory in the two sections of that name. */
static void find_shared(struct sound *sound)
{
	struct bpf_map *map;
	size_t size;

	bpf_object__for_each_map(map, sound->object) {
		if (!strcmp(bpf_map__name(map), ".data.arm"))
			sound->armed = bpf_map__initial_value(map, &size);
		if (!strcmp(bpf_map__name(map), ".data.out"))
			sound->out = bpf_map__initial_value(map, &size);
	}
}

/* Load it, not armed, and attach it. What is wrong, or NULL. */
static const char *prepare(struct sound *sound, const char *path)
{
	struct bpf_program *prog;

	loader_forget();
	sound->object = bpf_object__open_file(path, NULL);
	if (!sound->object)
		return strerror(errno);
	find_shared(sound);
	if (!sound->armed || !sound->out)
		return "it has nothing to share";
	*sound->armed = 0;
	loader_prepare_maps(sound->object);
	if (bpf_object__load(sound->object))
		return *loader_complaint() ? loader_complaint() : strerror(errno);
	bpf_object__for_each_program(prog, sound->object) {
		if (sound->nr == MAX_PROGS)
			return "it has too many programs";
		if (!attach(&sound->attached[sound->nr], prog))
			return sound->attached[sound->nr].error;
		sound->nr++;
	}
	return NULL;
}

/*
 * A process that arms the program when a byte is written to @go, and makes a system
 * call at once. It is the only one that makes any then.
 */
static pid_t start_victim(const struct sound *sound, int *go)
{
	int pipes[2];
	char byte;
	pid_t pid;

	if (pipe(pipes))
		perror("pipe");
	pid = fork();
	if (pid) {
		close(pipes[0]);
		*go = pipes[1];
		return pid;
	}
	close(pipes[1]);
	world_pin(CPU);
	if (read(pipes[0], &byte, 1) == 1) {
		shared->began = guest_now();
		*sound->armed = 1;
		__atomic_store_n(&shared->armed, 1, __ATOMIC_RELEASE);
		getpgid(0);
		shared->ended = guest_now();
	}
	for (;;)
		pause();
}

static pid_t let_loose(const struct sound *sound)
{
	pid_t pid;
	int go;

	shared->began = 0;
	shared->armed = 0;
	shared->ended = 0;
	memset((void *)sound->out, 0, WORDS * sizeof(*sound->out));
	pid = start_victim(sound, &go);
	if (write(go, "", 1) != 1)
		perror("go");
	/* A system call of ours could be what the program runs away with. */
	while (!__atomic_load_n(&shared->armed, __ATOMIC_ACQUIRE) || *sound->armed)
		;
	close(go);
	return pid;
}

static bool wait_for_end(void)
{
	const char *patience = getenv("PATIENCE");
	__u64 until = guest_now() + (patience ? NS_PER_MS * atoi(patience) : GUEST_PATIENCE);

	while (!shared->ended && guest_now() < until)
		guest_wait(NS_PER_MS);
	return shared->ended;
}

static void record_program(const struct attachment *a)
{
	int fd = bpf_program__fd(a->prog);
	struct fastterm_report report;
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	struct watchdog_did did;
	bool known;

	bpf_prog_get_info_by_fd(fd, &info, &size);
	known = fastterm_report(info.id, &report);
	watchdog_did(fd, &did);
	record_open(NULL);
	record_string(NULL, bpf_program__name(a->prog));
	record_number(NULL, known ? report.image_bytes : 0);
	record_string(NULL, known ? report.no_image : "the kernel knows nothing of it");
	record_number(NULL, did.terminations);
	record_close();
}

/* @kind: "ended", or "stuck" if it has not. */
static void record_seen(const struct sound *sound, const char *kind)
{
	int i;

	record_begin(kind);
	record_string("object", sound->name);
	record_number("took", shared->ended ? shared->ended - shared->began : 0);
	record_open("programs");
	for (i = 0; i < sound->nr; i++)
		record_program(&sound->attached[i]);
	record_close();
	record_open("out");
	for (i = 0; i < WORDS; i++)
		record_number(NULL, sound->out[i]);
	record_close();
	record_end();
}

static void run(const char *path)
{
	struct sound sound = { .name = loader_name(path) };
	const char *error;
	pid_t pid;
	int i;

	error = prepare(&sound, path);
	if (error) {
		record_failure(sound.name, error);
		return;
	}
	pid = let_loose(&sound);
	if (!wait_for_end()) {
		record_seen(&sound, "stuck");
		guest_abandon();
	}
	/* Those that look at what is left look at each system call. */
	getpgid(0);
	record_seen(&sound, "ended");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (i = 0; i < sound.nr; i++)
		detach(&sound.attached[i]);
	bpf_object__close(sound.object);
}

static void record_death(const char *path)
{
	record_failure(loader_name(path), "the loader died");
}

static unsigned int period(void)
{
	FILE *file = fopen(PERIOD, "r");
	unsigned int ms = 0;

	if (file && fscanf(file, "%u", &ms) != 1)
		perror(PERIOD);
	if (file)
		fclose(file);
	return ms;
}

int main(void)
{
	int objects;

	guest_begin();
	loader_begin();
	world_pin(0);
	world_begin();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	record_begin("machine");
	record_number("watchdog", watchdog_begin());
	record_number("budget", watchdog_budget(false));
	record_number("period", period());
	record_end();
	if (shared == MAP_FAILED)
		guest_end();
	guest_wait_for(guest_has_settled());

	objects = loader_each_object(run, record_death);
	record_begin("end");
	record_number("objects", objects);
	record_end();
	guest_end();
}
