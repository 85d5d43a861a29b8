/* SPDX-License-Identifier: GPL-2.0-only */
/* See ../../host.h. */
#include <uapi/linux/bpf.h>
