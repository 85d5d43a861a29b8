// SPDX-License-Identifier: GPL-2.0-only
#include "watchdog.h"

#include <stdio.h>
#include <string.h>

#define SYSCTL "/proc/sys/kernel/bpf_fastterm_"

static const char *const files[] = { SYSCTL "budget_ms", SYSCTL "sleepable_budget_ms" };
static unsigned int budgets[2];

bool watchdog_begin(void)
{
	bool ok = true;
	FILE *file;
	int i;

	for (i = 0; i < 2; i++) {
		file = fopen(files[i], "r");
		if (!file)
			return false;
		ok = fscanf(file, "%u", &budgets[i]) == 1 && ok;
		fclose(file);
	}
	return ok;
}

unsigned int watchdog_budget(bool sleepable)
{
	return budgets[sleepable];
}

void watchdog_switch(bool on)
{
	FILE *file;
	int i;

	for (i = 0; i < 2; i++) {
		file = fopen(files[i], "w");
		if (!file || fprintf(file, "%u", on ? budgets[i] : 0) < 0 || fclose(file))
			perror(files[i]);
	}
}

bool watchdog_did(int prog_fd, struct watchdog_did *did)
{
	unsigned long long value;
	char path[48], line[128];
	bool found = false;
	FILE *file;

	memset(did, 0, sizeof(*did));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", prog_fd);
	file = fopen(path, "r");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "fastterm_terminations: %llu", &value) == 1) {
			did->terminations = value;
			found = true;
		}
		if (sscanf(line, "fastterm_strikes: %llu", &value) == 1)
			did->strikes = value;
		if (sscanf(line, "fastterm_quarantined_ms: %llu", &value) == 1)
			did->quarantined_ms = value;
	}
	fclose(file);
	return found;
}
