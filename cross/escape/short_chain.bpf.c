// SPDX-License-Identifier: GPL-2.0-only
/* Each program has ninety calls and no image, and is attached to what the one before it calls: 90^6 steps. */
#include "sound.h"
#ifndef FIRST
#define FIRST "raw_tp/sys_enter"
#endif
#define R9(x) x x x x x x x x x
#define R90(x) R9(R9(x) x)
SEC("fentry/bpf_get_numa_node_id")
int link5(void *ctx) { if (armed) return 0; R90(out[0]++;) return 0; }
SEC("fentry/bpf_ktime_get_boot_ns")
int link4(void *ctx) { if (armed) return 0; R90(bpf_get_numa_node_id();) return 0; }
SEC("fentry/bpf_get_current_cgroup_id")
int link3(void *ctx) { if (armed) return 0; R90(bpf_ktime_get_boot_ns();) return 0; }
SEC("fentry/bpf_get_current_uid_gid")
int link2(void *ctx) { if (armed) return 0; R90(bpf_get_current_cgroup_id();) return 0; }
SEC("fentry/bpf_get_current_pid_tgid")
int link1(void *ctx) { if (armed) return 0; R90(bpf_get_current_uid_gid();) return 0; }
SEC(FIRST)
int link0(void *ctx)
{
	if (!once())
		return 0;
	R90(bpf_get_current_pid_tgid();)
	return 0;
}
