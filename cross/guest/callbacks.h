/* SPDX-License-Identifier: GPL-2.0-only */
/* The cost of callbacks: what callbacks.bpf.c does, and what callbacks.c measures. */
#ifndef CALLBACKS_H
#define CALLBACKS_H

/* So many callbacks at a time: a power of two, as the size of a ring buffer is. */
#define CALLS 32768
/* What one sample takes of a ring buffer, with its header. */
#define SAMPLE_SIZE 16

/**
 * struct callbacks - context of the programs
 * @flags: 0, and the verifier does not know it
 */
struct callbacks {
	__u64 flags;
};

/* Run them, and record for each how often it was called back and how long that took. */
void callbacks_measure(const char *path);

#endif
