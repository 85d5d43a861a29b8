/* SPDX-License-Identifier: GPL-2.0-only */
/* What every program of ours that is a guest's first process has in common. */
#ifndef GUEST_H
#define GUEST_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Mount what a BPF loader needs, show it the kernel's configuration, which is
 * /config, and keep the kernel's messages off the console.
 */
void guest_begin(void);

/* Print what the kernel has said, and end the machine. */
void guest_end(void) __attribute__((noreturn));

/* The same where the machine could wait for something that does not happen. */
void guest_abandon(void) __attribute__((noreturn));

/*
 * A record: one JSON object on a line of its own. A NULL @key in an array.
 * Ends only when it has left the machine, so that sending it costs nothing
 * while something else is measured.
 */
void record_begin(const char *kind);
void record_number(const char *key, __u64 value);
void record_string(const char *key, const char *value);
void record_hex(const char *key, const __u8 *bytes, size_t len);
void record_open(const char *key);
void record_close(void);
void record_end(void);

/* Choose which programs get stub images; false where the kernel has no such choice. */
bool fastterm_choose(const char *mode);

/* What the kernel knows of a program, bpf_fastterm/<id> in debugfs. */
struct fastterm_report {
	char why_long[80];
	char no_image[80];
	__u64 image_bytes;
};

/* False where the kernel knows nothing of it. */
bool fastterm_report(__u32 id, struct fastterm_report *report);

#endif
