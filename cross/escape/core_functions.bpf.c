// SPDX-License-Identifier: GPL-2.0-only
/* A program on every function of the termination itself that can be traced. */
#include "h.h"
SEC("raw_tp/sys_enter") int victim(void *ctx) { if (one_in(53)) run_away(); return 0; }
SEC("kprobe.multi/fastterm_*") int core(void *ctx) { turns++; run_away(); return 0; }
