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

/* Whether no program has this id any more. */
bool loader_is_gone(__u32 id);

#endif
