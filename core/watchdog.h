/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watchdog's settings.
 */
#ifndef _BPF_FASTTERM_WATCHDOG_H
#define _BPF_FASTTERM_WATCHDOG_H

struct fastterm_outcome;

/* In ms; see sysctl.rst. */
extern unsigned int fastterm_budget_ms, fastterm_sleepable_budget_ms, fastterm_period_ms;
void fastterm_watchdog_update(void);

#ifdef CONFIG_BPF_FASTTERM_WATCHDOG
void fastterm_watchdog_left(const struct fastterm_outcome *outcome);
#else
static inline void fastterm_watchdog_left(const struct fastterm_outcome *outcome) { }
#endif

#endif /* _BPF_FASTTERM_WATCHDOG_H */
