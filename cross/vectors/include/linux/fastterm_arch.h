/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernel has it once it is grafted. */
#include "../../../../core/fastterm_arch.h"
