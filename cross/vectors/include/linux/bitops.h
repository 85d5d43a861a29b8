/* SPDX-License-Identifier: GPL-2.0-only */
/* See ../../host.h. */
#include_next <linux/bitops.h>
#define __ffs64(word) ((unsigned long)__builtin_ctzll(word))
