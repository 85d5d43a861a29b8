/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which programs get stub images: sysctl kernel.bpf_fastterm.
 */
#ifndef _BPF_FASTTERM_MODE_H
#define _BPF_FASTTERM_MODE_H

#include <linux/types.h>

/**
 * enum fastterm_mode - which programs get stub images: kernel.bpf_fastterm
 * @FASTTERM_MODE_OFF: none
 * @FASTTERM_MODE_NEEDED: those that can run for a long time
 * @FASTTERM_MODE_ALL: all
 * @FASTTERM_MODE_REQUIRED: those that can run for a long time; those of them that get none
 *			    are not loaded
 * @FASTTERM_MODES: number of modes
 */
enum fastterm_mode {
	FASTTERM_MODE_OFF,
	FASTTERM_MODE_NEEDED,
	FASTTERM_MODE_ALL,
	FASTTERM_MODE_REQUIRED,
	FASTTERM_MODES,
};

int fastterm_choose(const char *const words[], size_t nr, int *chosen, int write, void *buffer,
		    size_t *lenp, loff_t *ppos);

/* The present mode. It applies to programs that are loaded from now on. */
extern int fastterm_mode;

#endif /* _BPF_FASTTERM_MODE_H */
