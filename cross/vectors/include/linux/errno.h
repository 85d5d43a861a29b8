/* SPDX-License-Identifier: GPL-2.0-only */
/* See ../../host.h. */
#include_next <linux/errno.h>
