/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Triggers: who decides that an activation has to end, and what the mechanism has for them.
 */
#ifndef _BPF_FASTTERM_TRIGGER_H
#define _BPF_FASTTERM_TRIGGER_H

#include <linux/types.h>

struct fastterm_tag;
struct pt_regs;

struct fastterm_tag *fastterm_suspect(struct pt_regs *regs);
int fastterm_terminate_tag(struct fastterm_tag *tag, struct pt_regs *regs);
void fastterm_cut_loops(int cpu, bool cut);
void fastterm_hears(void);

/* Is told of the registers that a visit has interrupted. */
typedef void (*fastterm_visitor_fn)(struct pt_regs *regs);
fastterm_visitor_fn fastterm_visit_by(fastterm_visitor_fn visitor);
void fastterm_visit(int cpu, bool insist);

#endif /* _BPF_FASTTERM_TRIGGER_H */
