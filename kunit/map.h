/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps for KUnit test cases
 *
 *	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
 *
 *	ftk_map_update(test, &m, &key, &value);
 *	...
 *	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(&m, &key, &value));
 */
#ifndef _BPF_FASTTERM_KUNIT_MAP_H
#define _BPF_FASTTERM_KUNIT_MAP_H

#include <linux/bpf.h>
#include <linux/types.h>

struct kunit;

/**
 * struct ftk_map - a map that exists until the test case ends
 * @map: the map
 * @fd: its descriptor, for BPF_LD_MAP_FD() and kern_sys_bpf(); 0 is a valid one
 * @btf_fd: descriptor of its types, of a map of ftk_map_typed()
 */
struct ftk_map {
	struct bpf_map *map;
	int fd;
	int btf_fd;
};

struct ftk_map ftk_map(struct kunit *test, enum bpf_map_type type, u32 key_size,
		       u32 value_size, u32 max_entries, u32 flags);
struct ftk_map ftk_map_typed(struct kunit *test);
void ftk_map_update(struct kunit *test, const struct ftk_map *m,
		    const void *key, const void *value);
bool ftk_map_lookup(const struct ftk_map *m, const void *key, void *value);

#endif /* _BPF_FASTTERM_KUNIT_MAP_H */
