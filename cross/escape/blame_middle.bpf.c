// SPDX-License-Identifier: GPL-2.0-only
/* Three programs, each attached to what the one before calls: the middle one runs away, and calls the inner one all the time. */
#include "h.h"
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(map_flags, BPF_F_NO_PREALLOC); __uint(max_entries, 64); __type(key, u64); __type(value, u32); } trie SEC(".maps");
static long few(u32 i, void *ctx) { u64 k = 32 | (u64)i << 32; u32 v = i; bpf_map_update_elem(&trie, &k, &v, BPF_ANY); return 0; }
static long asks(u32 i, void *ctx) { bpf_get_numa_node_id(); return 0; }
static long asks_more(u32 i, void *ctx) { bpf_loop(MOST, asks, NULL, 0); return 0; }
SEC("raw_tp/sys_enter") int outer(void *ctx) { bpf_loop(10, few, NULL, 0); return 0; }
SEC("fentry/trie_update_elem") int middle(void *ctx) { if (one_in(211)) bpf_loop(MOST, asks_more, NULL, 0); return 0; }
SEC("fentry/bpf_get_numa_node_id") int inner(void *ctx) { bpf_loop(10, nothing, NULL, 0); return 0; }
