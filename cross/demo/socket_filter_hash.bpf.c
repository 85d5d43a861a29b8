// SPDX-License-Identifier: GPL-2.0-only
/*
 * A socket's filter that looks at every byte of a packet, again and again, in a
 * section that RCU has to wait for.
 */
#include "demo.h"

SEC("socket")
int socket_filter_hash(struct __sk_buff *skb)
{
	u32 hash = 0, i, j;
	u8 byte;

	if (!begins())
		return skb->len;
	bpf_rcu_read_lock();
	hold(DEMO_SECTION);
	run((u64)MOST * MOST);

	bpf_for(i, 0, MOST) {
		bpf_for(j, 0, MOST) {
			turn();
			if (!bpf_skb_load_bytes(skb, (i + j) % skb->len, &byte, 1))
				hash = hash * 31 + byte;
		}
	}
	bpf_rcu_read_unlock();
	release(DEMO_SECTION);
	end();
	return skb->len + (hash & 1);
}
