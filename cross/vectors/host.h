/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the backends' pure functions, and the kernel's decoders that they call, need of the
 * kernel's headers, for an ordinary program. It is included before everything else.
 */
#ifndef FASTTERM_VECTORS_HOST_H
#define FASTTERM_VECTORS_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/align.h>
#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/bits.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif

#endif /* FASTTERM_VECTORS_HOST_H */
