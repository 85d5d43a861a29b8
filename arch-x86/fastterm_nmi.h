/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _X86_FASTTERM_NMI_H
#define _X86_FASTTERM_NMI_H

struct pt_regs;

int fastterm_handle_nmi(unsigned int cmd, struct pt_regs *regs);
int fastterm_claim_nmi(unsigned int cmd, struct pt_regs *regs);
void fastterm_send_nmi(int cpu);

#endif /* _X86_FASTTERM_NMI_H */
