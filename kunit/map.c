// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps for KUnit test cases; see map.h
 */

#include <linux/bpf.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "btf.h"
#include "map.h"
#include "syscall.h"

/* Upper limit for the number of functions of programs that use the BTF of a map. */
#define FTK_SHARED_FUNCS 4

static void ftk_put_map(void *map)
{
	bpf_map_put(map);
}

static struct ftk_map ftk_map_create(struct kunit *test, union bpf_attr *attr)
{
	struct ftk_map m = {};
	int err;

	m.fd = kern_sys_bpf(BPF_MAP_CREATE, attr, sizeof(*attr));
	KUNIT_ASSERT_GE(test, m.fd, 0);
	ftk_close_fd_later(test, m.fd);

	m.map = bpf_map_get(m.fd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m.map);
	err = kunit_add_action_or_reset(test, ftk_put_map, m.map);
	KUNIT_ASSERT_EQ(test, err, 0);
	return m;
}

/**
 * ftk_map() - create a map
 * @test: the test case, at whose end the map is released
 * @type: type of the map
 * @key_size: size of a key, in bytes
 * @value_size: size of a value, in bytes
 * @max_entries: number of entries
 * @flags: map flags, such as BPF_F_NO_PREALLOC
 *
 * Context: the thread of the test case.
 * Return: the map and a descriptor for it.
 */
struct ftk_map ftk_map(struct kunit *test, enum bpf_map_type type, u32 key_size,
		       u32 value_size, u32 max_entries, u32 flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = key_size;
	attr.value_size = value_size;
	attr.max_entries = max_entries;
	attr.map_flags = flags;
	return ftk_map_create(test, &attr);
}

/**
 * ftk_map_typed() - create an array with one element, a &struct ftk_value
 * @test: the test case, at whose end the map is released
 *
 * A program may put an object that it has allocated into a map only if both use the same BTF:
 * see ftk_opts.types.
 *
 * Context: the thread of the test case.
 * Return: the map and a descriptor for it.
 */
struct ftk_map ftk_map_typed(struct kunit *test)
{
	union bpf_attr attr;
	struct ftk_map m;
	int btf_fd;

	btf_fd = ftk_btf_load(test, test->name, FTK_SHARED_FUNCS, 0, 0, false);
	ftk_close_fd_later(test, btf_fd);

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(int);
	attr.value_size = sizeof(struct ftk_value);
	attr.max_entries = 1;
	attr.btf_fd = btf_fd;
	attr.btf_key_type_id = FTK_TYPE_INT;
	attr.btf_value_type_id = FTK_TYPE_VALUE;
	m = ftk_map_create(test, &attr);
	m.btf_fd = btf_fd;
	return m;
}

/**
 * ftk_map_update() - set an entry of a map
 * @test: the test case, which is failed if the entry cannot be set
 * @m: the map
 * @key: the key
 * @value: the value, as bpf(2) takes it: a descriptor for a prog array
 *
 * Context: the thread of the test case.
 */
void ftk_map_update(struct kunit *test, const struct ftk_map *m,
		    const void *key, const void *value)
{
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = m->fd;
	attr.key = (unsigned long)key;
	attr.value = (unsigned long)value;
	err = kern_sys_bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
	KUNIT_ASSERT_EQ(test, err, 0);
}

/**
 * ftk_map_lookup() - read an entry of a map
 * @m: the map; this CPU's entry is read from a per-CPU map
 * @key: the key
 * @value: receives the value
 *
 * bpf(2) would copy the value to user memory, so this calls the map's operation directly, as a
 * program does.
 *
 * Context: any.
 * Return: true if there is such an entry.
 */
bool ftk_map_lookup(const struct ftk_map *m, const void *key, void *value)
{
	void *found;

	guard(rcu)();
	found = m->map->ops->map_lookup_elem(m->map, (void *)key);
	if (IS_ERR_OR_NULL(found))
		return false;
	memcpy(value, found, m->map->value_size);
	return true;
}
