// SPDX-License-Identifier: GPL-2.0-only
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An instance of our own: programs write to the buffer that belongs to none, by bpf_printk(). */
#define INSTANCE "/sys/kernel/debug/tracing/instances/fastterm/"
#define EVENT "bpf_fastterm_"

/* What trace_pipe has said and nobody has asked for; whole lines and a begun one. */
static char buffer[65536];
static size_t used;
static int pipe_fd = -1;

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

bool events_begin(void)
{
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		return false;
	write_to(INSTANCE "trace_clock", "mono");
	if (!write_to(INSTANCE "events/bpf_fastterm/enable", "1"))
		return false;
	pipe_fd = open(INSTANCE "trace_pipe", O_RDONLY | O_NONBLOCK);
	return pipe_fd >= 0;
}

static __u64 number(const char *line, const char *key)
{
	const char *value = strstr(line, key);

	return value ? strtoull(value + strlen(key), NULL, 0) : 0;
}

/* "  init-1  [000] d..1.  1.234567: bpf_fastterm_exit: prog=12 kicks=1 ..." */
bool events_parse(struct event *event, const char *line)
{
	const char *name = strstr(line, ": " EVENT), *begin = name;
	unsigned long long s, us;

	if (!name)
		return false;
	memset(event, 0, sizeof(*event));
	if (sscanf(name, ": " EVENT "%15[a-z]:", event->kind) != 1)
		return false;
	while (begin > line && begin[-1] != ' ')
		begin--;
	if (sscanf(begin, "%llu.%llu", &s, &us) != 2)
		return false;
	event->time = s * 1000000000 + us * 1000;
	event->id = number(name, " prog=");
	event->kicks = number(name, " kicks=");
	event->frames = number(name, " frames=");
	event->exit_ns = number(name, " exit_ns=");
	event->ran_ns = number(name, " ran_ns=");
	return true;
}

bool events_next(struct event *event)
{
	char line[512], *end;
	ssize_t got;
	size_t len;

	for (;;) {
		end = memchr(buffer, '\n', used);
		if (!end) {
			got = read(pipe_fd, buffer + used, sizeof(buffer) - used);
			if (got <= 0)
				return false;
			used += got;
			continue;
		}
		len = end + 1 - buffer;
		snprintf(line, sizeof(line), "%.*s", (int)len - 1, buffer);
		used -= len;
		memmove(buffer, end + 1, used);
		if (events_parse(event, line))
			return true;
	}
}
