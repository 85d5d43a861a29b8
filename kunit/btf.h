/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Type information (BTF) for the programs of KUnit test cases
 *
 * All programs have the same types, except for those of their functions. The verifier finds some
 * fields of maps, and of objects that a program allocates, by their BTF only: there is a
 * structure with such fields for either.
 */
#ifndef _BPF_FASTTERM_KUNIT_BTF_H
#define _BPF_FASTTERM_KUNIT_BTF_H

#include <linux/bpf.h>
#include <linux/types.h>

struct kunit;
struct task_struct;

/**
 * struct ftk_node - what bpf_obj_new(FTK_TYPE_NODE) allocates
 * @list: node of a list
 * @rb: node of a tree
 * @refs: reference count, so that a node can be in a list and in a tree
 */
struct ftk_node {
	struct bpf_list_node list;
	struct bpf_rb_node rb;
	struct bpf_refcount refs;
};

/**
 * struct ftk_value - the value in a map of ftk_map_typed()
 * @lock: protects @head and @root
 * @head: list of &struct ftk_node, linked by ftk_node.list
 * @root: tree of &struct ftk_node, linked by ftk_node.rb
 * @task: a kptr, for which the map holds a reference
 * @timer: a timer
 * @data: plain data
 */
struct ftk_value {
	struct bpf_spin_lock lock;
	struct bpf_list_head head;
	struct bpf_rb_root root;
	struct task_struct *task;
	struct bpf_timer timer;
	u64 data;
};

/* Ids of these types, and of the types that they are composed of. */
enum ftk_type {
	FTK_TYPE_INT = 1,
	FTK_TYPE_PROTO,
	FTK_TYPE_SPIN_LOCK,
	FTK_TYPE_LIST_HEAD,
	FTK_TYPE_LIST_NODE,
	FTK_TYPE_RB_ROOT,
	FTK_TYPE_RB_NODE,
	FTK_TYPE_REFCOUNT,
	FTK_TYPE_TIMER,
	FTK_TYPE_TASK,
	FTK_TYPE_TASK_KPTR,
	FTK_TYPE_TASK_PTR,
	FTK_TYPE_NODE,
	FTK_TYPE_VALUE,
	FTK_TYPE_HEAD_TAG,
	FTK_TYPE_ROOT_TAG,
	FTK_TYPE_INT_PTR,
	FTK_TYPE_FILLER,
	FTK_TYPE_XDP,
	FTK_TYPE_XDP_PTR,
	FTK_TYPE_XDP_PROTO,
	FTK_TYPE_FUNC,
};

int ftk_btf_load(struct kunit *test, const char *name, u32 nr_funcs, u32 globals, u32 fillers,
		 bool xdp);

#endif /* _BPF_FASTTERM_KUNIT_BTF_H */
