/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports of programs that do not leave.
 */
#ifndef _BPF_FASTTERM_STUCK_H
#define _BPF_FASTTERM_STUCK_H

#include <linux/types.h>

struct fastterm_doing;
struct fastterm_tag;

void fastterm_report_stuck(const struct fastterm_tag *tag, const struct fastterm_doing *doing);
void fastterm_report_unreachable(int cpu, u64 ns);

#endif /* _BPF_FASTTERM_STUCK_H */
