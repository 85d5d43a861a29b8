// SPDX-License-Identifier: GPL-2.0-only
/* Programs on what a kick calls, to arm a timer and to have work done: each runs away now and then. */
#include "h.h"
SEC("raw_tp/sys_enter") int victim(void *ctx) { if (one_in(53)) run_away(); return 0; }
SEC("fentry/hrtimer_start_range_ns") int arms(void *ctx) { if (one_in(1009)) run_away(); return 0; }
SEC("fentry/hrtimer_forward") int forwards(void *ctx) { if (one_in(53)) run_away(); return 0; }
SEC("fentry/__tasklet_hi_schedule") int schedules(void *ctx) { if (one_in(3)) run_away(); return 0; }
SEC("raw_tp/bpf_fastterm_redirect") int told(void *ctx) { turns++; return 0; }
