/* SPDX-License-Identifier: GPL-2.0-only */
/* What libbpf complains about while it loads and attaches, the verifier's log included. */
#ifndef COMPLAINT_H
#define COMPLAINT_H

/* Keep it from now on, and do not print it. */
void complaint_begin(void);

/* Forget what there was. */
void complaint_forget(void);

/* All since then, or its first line; empty where there was nothing. */
const char *complaint_text(void);
const char *complaint_line(void);

#endif
