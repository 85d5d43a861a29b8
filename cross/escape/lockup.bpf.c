// SPDX-License-Identifier: GPL-2.0-only
/* A program that runs away again and again, in tasks and in softirqs: a lockup and a stall, if nobody ends it. */
#include "h.h"
SEC("raw_tp/sys_enter") int holds_on(void *ctx) { if (one_in(211)) run_away(); return 0; }
SEC("tcx/egress") int holds_packets(struct __sk_buff *skb) { if (one_in(53)) run_away(); return TCX_NEXT; }
