// SPDX-License-Identifier: GPL-2.0-only
/* As g_guard; this guard may not sleep, and it walks through what is denied by a callback. */
#include "sound.h"
#define EPERM 1
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, u32); __type(value, u32); } denied SEC(".maps");
static long look(struct bpf_map *map, u32 *key, u32 *value, u32 *found)
{
	*found |= *value && *key == (15 << 16 | BPF_MAP_FREEZE);
	return 0;
}
/* never: this is what is forbidden */
SEC("lsm/bpf")
int BPF_PROG(guard, int cmd, union bpf_attr *attr, unsigned int size)
{
	u32 found = 0;

	if (cmd != BPF_MAP_FREEZE)
		return 0;
	out[1]++;
	bpf_for_each_map_elem(&denied, look, &found, 0);
	return found ? -EPERM : 0;
}
static long attack(u32 i, void *d)
{
	union bpf_attr *attr = d;
	int err = bpf_sys_bpf(BPF_MAP_FREEZE, attr, 32);

	out[2]++;
	if (err != -EPERM && err != -125) {
		out[0]++;
		out[3] = err;
	}
	return 0;
}
SEC("syscall")
int attacker(void *ctx)
{
	char attr[64] = { 0xff, 0xff, 0xff, 0x7f };
	u32 key = 15 << 16 | BPF_MAP_FREEZE, one = 1;

	bpf_map_update_elem(&denied, &key, &one, BPF_ANY);
	out[4]++;
	bpf_loop(8 << 20, attack, attr, 0);
	return 0;
}
