// SPDX-License-Identifier: GPL-2.0-only
#include "loader.h"

#include <bpf/bpf.h>
#include <fts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OBJECTS "/objects"

static char text[1 << 16], line[256];
static size_t used;

static int complain(enum libbpf_print_level level, const char *format, va_list args)
{
	int len;

	if (level != LIBBPF_WARN || used >= sizeof(text) - 1)
		return 0;
	len = vsnprintf(text + used, sizeof(text) - used, format, args);
	if (len > 0)
		used += len;
	return 0;
}

void loader_begin(void)
{
	libbpf_set_print(complain);
}

void loader_forget(void)
{
	*text = 0;
	used = 0;
}

const char *loader_complaint(void)
{
	return text;
}

const char *loader_complaint_line(void)
{
	size_t len = strcspn(text, "\n");

	if (len >= sizeof(line))
		len = sizeof(line) - 1;
	memcpy(line, text, len);
	line[len] = 0;
	return line;
}

/* Maps without a size: their elements are kept with what they belong to. */
static bool is_storage(enum bpf_map_type type)
{
	switch (type) {
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_CGRP_STORAGE:
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
		return true;
	default:
		return false;
	}
}

void loader_prepare_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		bpf_map__set_pin_path(map, NULL);
		if (!bpf_map__max_entries(map) && !is_storage(bpf_map__type(map)))
			bpf_map__set_max_entries(map, getpagesize());
	}
}

static bool in_child(void (*one)(const char *path), const char *path)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		one(path);
		exit(0);
	}
	waitpid(pid, &status, 0);
	return !status;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int loader_each_object(void (*one)(const char *path), void (*died)(const char *path))
{
	char *roots[] = { OBJECTS, NULL };
	FTSENT *entry;
	int nr = 0;
	FTS *tree;

	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	while (tree && (entry = fts_read(tree))) {
		if (entry->fts_info != FTS_F)
			continue;
		nr++;
		if (!in_child(one, entry->fts_path))
			died(entry->fts_path);
	}
	return nr;
}

const char *loader_name(const char *path)
{
	return path + strlen(OBJECTS "/");
}

bool loader_is_gone(__u32 id)
{
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}
