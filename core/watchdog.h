/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watchdog's settings.
 */
#ifndef _BPF_FASTTERM_WATCHDOG_H
#define _BPF_FASTTERM_WATCHDOG_H

/* In ms; see Documentation/bpf/fastterm-sysctl.rst. */
extern unsigned int fastterm_budget_ms, fastterm_sleepable_budget_ms, fastterm_period_ms;
void fastterm_watchdog_update(void);

#endif /* _BPF_FASTTERM_WATCHDOG_H */
