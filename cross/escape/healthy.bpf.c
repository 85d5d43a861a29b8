// SPDX-License-Identifier: GPL-2.0-only
/* Healthy programs that nearly always run: for 45 of every 50 ms, and for each packet of a stream that never ends. */
#include "h.h"
#define MS 1000000
SEC("raw_tp/sys_enter") int long_runs(void *ctx)
{
	u64 begin = bpf_ktime_get_ns();
	int i;
	bpf_for(i, 0, MOST)
		if (bpf_ktime_get_ns() - begin > 45 * MS)
			break;
	return 0;
}
SEC("tcx/ingress") int circles(struct __sk_buff *skb)
{
	u32 i;
	bpf_for(i, 0, 3)
		turns++;
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}
