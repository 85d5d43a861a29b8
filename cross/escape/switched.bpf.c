// SPDX-License-Identifier: GPL-2.0-only
/* Where tasks are switched, a program runs away: also while another task, which is to leave, is not running. */
#include "h.h"
SEC("raw_tp/sys_enter") int victim(void *ctx) { if (one_in(53)) run_away(); return 0; }
SEC("tp_btf/sched_switch") int switched(void *ctx) { if (one_in(307)) run_away(); return 0; }
