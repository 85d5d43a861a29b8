// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MODE "/proc/sys/kernel/bpf_fastterm"
#define DEBUGFS "/sys/kernel/debug"
#define CLOCK "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/* Of syslog(2), which has no names for them. */
enum { LOG_READ_ALL = 3, LOG_CONSOLE_LEVEL = 8, LOG_SIZE = 10 };

static bool first;

static void mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL))
		perror(where);
}

/* Where libbpf looks for the kernel's configuration. */
static void link_config(void)
{
	char path[sizeof("/boot/config-") + sizeof(((struct utsname *)0)->release)];
	struct utsname name;

	uname(&name);
	snprintf(path, sizeof(path), "/boot/config-%s", name.release);
	mkdir("/boot", 0755);
	if (symlink("/config", path))
		perror(path);
}

void guest_begin(void)
{
	if (getpid() != 1)
		_exit(0);
	klogctl(LOG_CONSOLE_LEVEL, NULL, 1);
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("debugfs", DEBUGFS);
	mount_at("bpf", "/sys/fs/bpf");
	mount_at("cgroup2", "/sys/fs/cgroup");
	link_config();
}

static void print_log(void)
{
	int size = klogctl(LOG_SIZE, NULL, 0);
	char *log = malloc(size + 1);

	size = klogctl(LOG_READ_ALL, log, size);
	if (size > 0)
		fwrite(log, 1, size, stdout);
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	free(log);
}

void guest_end(void)
{
	print_log();
	reboot(RB_AUTOBOOT);
	/* The first process must not return. */
	for (;;)
		pause();
}

void guest_abandon(void)
{
	FILE *file = fopen("/proc/sysrq-trigger", "w");

	print_log();
	if (file) {
		fputs("b", file);
		fclose(file);
	}
	for (;;)
		pause();
}

__u64 guest_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

void guest_wait(__u64 ns)
{
	nanosleep(&(struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 },
		  NULL);
}

bool guest_has_settled(void)
{
	FILE *file = fopen(CLOCK, "r");
	char name[32] = "";

	if (file && !fgets(name, sizeof(name), file))
		*name = 0;
	if (file)
		fclose(file);
	return !strstr(name, "early");
}

static void begin_value(const char *key)
{
	printf(first ? "" : ",");
	first = false;
	if (key)
		printf("\"%s\":", key);
}

void record_begin(const char *kind)
{
	printf("\x1e{");
	first = true;
	record_string("record", kind);
}

void record_number(const char *key, __u64 value)
{
	begin_value(key);
	printf("%llu", value);
}

void record_string(const char *key, const char *value)
{
	begin_value(key);
	putchar('"');
	for (; *value; value++) {
		unsigned char c = *value;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

void record_hex(const char *key, const __u8 *bytes, size_t len)
{
	begin_value(key);
	putchar('"');
	while (len--)
		printf("%02x", *bytes++);
	putchar('"');
}

void record_open(const char *key)
{
	begin_value(key);
	putchar('[');
	first = true;
}

void record_close(void)
{
	putchar(']');
	first = false;
}

void record_end(void)
{
	printf("}\n");
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
}

bool fastterm_choose(const char *mode)
{
	FILE *file = fopen(MODE, "w");
	bool ok;

	if (!file)
		return false;
	ok = fputs(mode, file) >= 0;
	return !fclose(file) && ok;
}

bool fastterm_report(__u32 id, struct fastterm_report *report)
{
	char path[64], line[512];
	unsigned int image;
	FILE *file;

	memset(report, 0, sizeof(*report));
	snprintf(path, sizeof(path), DEBUGFS "/bpf_fastterm/%u", id);
	file = fopen(path, "r");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "long: %79[^\n]", report->why_long);
		sscanf(line, "no image: %79[^\n]", report->no_image);
		if (sscanf(line, "function %*u: %*u bytes, image %u bytes", &image) == 1)
			report->image_bytes += image;
		sscanf(line, "stub image refused at insn %255[^\n]", report->refused);
		if (sscanf(line, "verified: %*u instructions, and %u of the stub image",
			   &report->stub_insns) == 1) {
			report->again = strstr(line, ", twice");
			report->alone = strstr(line, ", and once more without it");
		}
		sscanf(line, "bound: %u instructions, %u of BPF, %u kept calls", &report->bound,
		       &report->bpf_bound, &report->calls);
		sscanf(line, "bound: unknown, %u of BPF, %u kept calls", &report->bpf_bound,
		       &report->calls);
		sscanf(line, "kept calls: %255[^\n]", report->kept);
		sscanf(line, "loop: %79[^\n]", report->loop);
	}
	fclose(file);
	return true;
}
