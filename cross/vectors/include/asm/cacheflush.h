/* SPDX-License-Identifier: GPL-2.0-only */
/* See ../../host.h. What the JIT of riscv64 asks of the machine, which makes no difference here. */
#include <asm/hwcap.h>
#define riscv_has_extension_likely(extension) false
#define __riscv_xlen 64
