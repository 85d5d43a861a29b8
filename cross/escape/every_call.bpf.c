// SPDX-License-Identifier: GPL-2.0-only
/* Every system call of every process runs away. */
#include "h.h"

SEC("raw_tp/sys_enter") int runs_away(void *ctx) { run_away(); return 0; }
