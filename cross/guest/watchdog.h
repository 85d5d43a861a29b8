/* SPDX-License-Identifier: GPL-2.0-only */
/* The watchdog that terminates programs: its sysctls, and what it has done. */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include <linux/types.h>
#include <stdbool.h>

/* False where the kernel has none. Reads the budgets that it comes with. */
bool watchdog_begin(void);

/* What a program may use, in ms: one that may sleep, and all others. */
unsigned int watchdog_budget(bool sleepable);

/* Off, or on with the budgets that it came with. */
void watchdog_switch(bool on);

/* What has been done to a program. */
struct watchdog_did {
	__u64 terminations;
	__u64 strikes;
	__u64 quarantined_ms;
};

/* False if the kernel does not say. */
bool watchdog_did(int prog_fd, struct watchdog_did *did);

#endif
