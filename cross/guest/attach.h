/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaches programs by their type and section: to what they name, or else to what
 * there is in a guest.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#define ATTACH_LINKS 64

/**
 * struct attachment - how a program is attached
 * @prog: the program
 * @where: to what, in words
 * @error: why not, or empty
 * @links: what holds it there
 * @nr_links: number of @links
 * @fd: what holds it there and is not libbpf's: a link, or a socket that it filters; or -1
 * @runs: nothing that happens runs it, attachment_stir() does
 * @iterates: it is run by reading from what its link makes
 */
struct attachment {
	const struct bpf_program *prog;
	char where[64];
	char error[128];
	struct bpf_link *links[ATTACH_LINKS];
	int nr_links;
	int fd;
	bool runs;
	bool iterates;
};

/* Attach it; false if that failed: @error. */
bool attach(struct attachment *a, struct bpf_program *prog);

/* Do what it takes to have it run, beside what happens by itself. */
void attachment_stir(const struct attachment *a);

void detach(struct attachment *a);

#endif
