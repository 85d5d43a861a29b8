// SPDX-License-Identifier: GPL-2.0-only
/* Every packet that a device receives runs away. */
#include "runaway.h"

SEC("xdp")
int packets(struct xdp_md *ctx)
{
	run_away();
	return XDP_PASS;
}
