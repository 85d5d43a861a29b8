// SPDX-License-Identifier: GPL-2.0-only
/* Nothing, done again and again, by every function of the kernel's that calls a program's callbacks. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

#include "callbacks.h"

char LICENSE[] SEC("license") = "GPL";

static long nothing(__u32 index, void *unused)
{
	return 0;
}

static long nothing_of_element(struct bpf_map *map, const void *key, void *value, void *unused)
{
	return 0;
}

static long nothing_of_sample(struct bpf_dynptr *sample, void *unused)
{
	return 0;
}

/* Were the flags a constant, there would be no call. */
SEC("syscall")
int loop(struct callbacks *callbacks)
{
	return bpf_loop(CALLS, nothing, NULL, callbacks->flags);
}

#define FOR_EACH_OF(name, map_type)				\
	struct {						\
		__uint(type, map_type);				\
		__uint(max_entries, CALLS);			\
		__type(key, __u32);				\
		__type(value, __u64);				\
	} name SEC(".maps");					\
								\
	SEC("syscall")						\
	int each_##name(struct callbacks *callbacks)		\
	{							\
		return bpf_for_each_map_elem(&name, nothing_of_element, NULL, 0); \
	}

FOR_EACH_OF(array, BPF_MAP_TYPE_ARRAY)
FOR_EACH_OF(percpu_array, BPF_MAP_TYPE_PERCPU_ARRAY)
FOR_EACH_OF(hash, BPF_MAP_TYPE_HASH)
FOR_EACH_OF(lru_hash, BPF_MAP_TYPE_LRU_HASH)
FOR_EACH_OF(percpu_hash, BPF_MAP_TYPE_PERCPU_HASH)

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, CALLS * SAMPLE_SIZE);
} samples SEC(".maps");

SEC("syscall")
int drain(struct callbacks *callbacks)
{
	return bpf_user_ringbuf_drain(&samples, nothing_of_sample, NULL, 0);
}
