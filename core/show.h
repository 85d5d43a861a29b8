/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files in debugfs.
 */
#ifndef _BPF_FASTTERM_SHOW_H
#define _BPF_FASTTERM_SHOW_H

#include "program.h"

struct seq_file;

const char *fastterm_hook(u32 type);
const char *fastterm_absence_name(enum fastterm_absence absence);
void fastterm_show(struct seq_file *m, const struct fastterm_prog *fprog);
void fastterm_show_loads(struct seq_file *m);
void fastterm_show_add(struct fastterm_prog *fprog);
void fastterm_show_remove(struct fastterm_prog *fprog);

#endif /* _BPF_FASTTERM_SHOW_H */
