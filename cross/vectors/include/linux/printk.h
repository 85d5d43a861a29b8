/* SPDX-License-Identifier: GPL-2.0-only */
/* See ../../host.h. */
#define pr_err(...) fprintf(stderr, __VA_ARGS__)
