/* SPDX-License-Identifier: GPL-2.0-only */
/* What every guest that loads objects with libbpf needs. */
#ifndef LOADER_H
#define LOADER_H

#include <bpf/libbpf.h>
#include <stdbool.h>

/*
 * Keep from now on what libbpf complains about, the verifier's log included, and
 * do not print it.
 */
void loader_begin(void);

/* Forget what there was. */
void loader_forget(void);

/* All since then, or its first line; empty where there was nothing. */
const char *loader_complaint(void);
const char *loader_complaint_line(void);

/* Before an object is loaded: give its maps what its own user space would have given them. */
void loader_prepare_maps(struct bpf_object *object);

/*
 * Hand over every object below /objects, by path, one after another, each to a process
 * of its own: what it leaves behind goes with that. @died is told of those that do not
 * return. Returns their number.
 */
int loader_each_object(void (*one)(const char *path), void (*died)(const char *path));

/* An object's name: its path below /objects. */
const char *loader_name(const char *path);

/* Whether no program has this id any more. */
bool loader_is_gone(__u32 id);

#endif
