/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NMIs that come by themselves.
 */
#ifndef _BPF_FASTTERM_NMI_H
#define _BPF_FASTTERM_NMI_H

#include <linux/types.h>

#ifdef CONFIG_BPF_FASTTERM_WATCHDOG
bool fastterm_nmi_exists(void);
bool fastterm_nmi_comes(int cpu);
bool fastterm_nmi_is_own(void);
void fastterm_nmi_arm(u64 ns, bool soon);
void fastterm_nmi_disarm_all(void);
void fastterm_nmi_update(void);
#else
static inline void fastterm_nmi_update(void) { }
#endif

#endif /* _BPF_FASTTERM_NMI_H */
