// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open-coded iterators in one another, for one packet of a TCP connection, with
 * a reference to the socket that the packet is for.
 */
#include "demo.h"

SEC("tcx/ingress")
int tc_socket_iterators(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct bpf_sock_tuple tuple = {};
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct bpf_sock *sk;
	int i, j;

	if ((void *)(tcp + 1) > data_end || ip->protocol != IPPROTO_TCP || ip->ihl != 5)
		return TCX_PASS;
	tuple.ipv4.saddr = ip->saddr;
	tuple.ipv4.daddr = ip->daddr;
	tuple.ipv4.sport = tcp->source;
	tuple.ipv4.dport = tcp->dest;
	/* One that listens is not counted. */
	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return TCX_PASS;
	if (sk->state != BPF_TCP_ESTABLISHED || !begins())
		goto out;
	hold(DEMO_SOCKET);
	state.port = bpf_ntohs(tcp->dest);
	run((u64)MOST * MOST);

	bpf_for(i, 0, MOST)
		bpf_for(j, 0, MOST)
			turn();

	release(DEMO_SOCKET);
	end();
out:
	bpf_sk_release(sk);
	return TCX_PASS;
}
