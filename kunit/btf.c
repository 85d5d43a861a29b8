// SPDX-License-Identifier: GPL-2.0-only
/*
 * Type information (BTF) for the programs of KUnit test cases; see btf.h
 */

#include <linux/bits.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sprintf.h>
#include <linux/stddef.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "btf.h"
#include "syscall.h"

/*
 * The verifier accepts callbacks and global functions only from programs that describe the types
 * of their functions. All functions have the type int f(int arg), except for those that fill
 * memory, which have int f(int *arg), and for main functions that extensions replace, which have
 * int f(struct xdp_md *arg); the verifier checks this for global functions and extensions only. The
 * other types are those of btf.h, in the order of enum ftk_type.
 */
struct ftk_types {
	struct btf_type integer;
	u32 integer_desc;
	struct btf_type proto;
	struct btf_param arg;
	struct btf_type spin_lock;
	struct btf_type list_head;
	struct btf_type list_node;
	struct btf_type rb_root;
	struct btf_type rb_node;
	struct btf_type refcount;
	struct btf_type timer;
	struct btf_type task;
	struct btf_type task_kptr;
	struct btf_type task_ptr;
	struct btf_type node;
	struct btf_member node_members[3];
	struct btf_type value;
	struct btf_member value_members[5];
	struct btf_type head_tag;
	struct btf_decl_tag head_tag_of;
	struct btf_type root_tag;
	struct btf_decl_tag root_tag_of;
	struct btf_type int_ptr;
	struct btf_type filler;
	struct btf_param filled;
	struct btf_type xdp;
	struct btf_type xdp_ptr;
	struct btf_type xdp_proto;
	struct btf_param xdp_arg;
};

struct ftk_btf {
	struct btf_header hdr;
	struct ftk_types types;
	struct btf_type func[];
	/* strings follow: char str[FTK_STR_FUNC + nr_funcs][FTK_STR_LEN] */
};

/* Size of a string; the longest of the names below has to fit. */
#define FTK_STR_LEN 24

enum ftk_str {
	FTK_STR_NONE,
	FTK_STR_INT,
	FTK_STR_ARG,
	FTK_STR_SPIN_LOCK,
	FTK_STR_LIST_HEAD,
	FTK_STR_LIST_NODE,
	FTK_STR_RB_ROOT,
	FTK_STR_RB_NODE,
	FTK_STR_REFCOUNT,
	FTK_STR_TIMER,
	FTK_STR_TASK,
	FTK_STR_KPTR,
	FTK_STR_NODE,
	FTK_STR_VALUE,
	FTK_STR_LIST,
	FTK_STR_RB,
	FTK_STR_HEAD_TAG,
	FTK_STR_ROOT_TAG,
	FTK_STR_XDP,
	FTK_STR_FUNC,
};

static const char ftk_strs[FTK_STR_FUNC][FTK_STR_LEN] = {
	[FTK_STR_INT] = "int",
	[FTK_STR_ARG] = "arg",
	[FTK_STR_SPIN_LOCK] = "bpf_spin_lock",
	[FTK_STR_LIST_HEAD] = "bpf_list_head",
	[FTK_STR_LIST_NODE] = "bpf_list_node",
	[FTK_STR_RB_ROOT] = "bpf_rb_root",
	[FTK_STR_RB_NODE] = "bpf_rb_node",
	[FTK_STR_REFCOUNT] = "bpf_refcount",
	[FTK_STR_TIMER] = "bpf_timer",
	[FTK_STR_TASK] = "task_struct",
	[FTK_STR_KPTR] = "kptr",
	[FTK_STR_NODE] = "ftk_node",
	[FTK_STR_VALUE] = "ftk_value",
	[FTK_STR_LIST] = "list",
	[FTK_STR_RB] = "rb",
	[FTK_STR_HEAD_TAG] = "contains:ftk_node:list",
	[FTK_STR_ROOT_TAG] = "contains:ftk_node:rb",
	[FTK_STR_XDP] = "xdp_md",
};

#define FTK_INFO(kind, vlen) (BTF_KIND_##kind << 24 | (vlen))

#define FTK_NAME(which) (FTK_STR_##which * FTK_STR_LEN)

/*
 * A kernel structure whose members are not needed. Some of the names are macros as well, so the
 * name has to be pasted in this macro.
 */
#define FTK_STRUCT(which, type) { \
	.name_off = FTK_STR_##which * FTK_STR_LEN, \
	.info = FTK_INFO(STRUCT, 0), \
	.size = sizeof(struct type), \
}

#define FTK_MEMBER(which, of, member, id) { \
	.name_off = FTK_STR_##which * FTK_STR_LEN, \
	.type = FTK_TYPE_##id, \
	.offset = BITS_PER_BYTE * offsetof(struct of, member), \
}

static const struct ftk_types ftk_types = {
	.integer = {
		.name_off = FTK_NAME(INT),
		.info = FTK_INFO(INT, 0),
		.size = sizeof(int),
	},
	.integer_desc = BTF_INT_SIGNED << 24 | BITS_PER_TYPE(int),
	.proto = { .info = FTK_INFO(FUNC_PROTO, 1), .type = FTK_TYPE_INT },
	.arg = { .name_off = FTK_NAME(ARG), .type = FTK_TYPE_INT },
	.spin_lock = FTK_STRUCT(SPIN_LOCK, bpf_spin_lock),
	.list_head = FTK_STRUCT(LIST_HEAD, bpf_list_head),
	.list_node = FTK_STRUCT(LIST_NODE, bpf_list_node),
	.rb_root = FTK_STRUCT(RB_ROOT, bpf_rb_root),
	.rb_node = FTK_STRUCT(RB_NODE, bpf_rb_node),
	.refcount = FTK_STRUCT(REFCOUNT, bpf_refcount),
	.timer = FTK_STRUCT(TIMER, bpf_timer),
	.task = FTK_STRUCT(TASK, task_struct),
	.task_kptr = {
		.name_off = FTK_NAME(KPTR),
		.info = FTK_INFO(TYPE_TAG, 0),
		.type = FTK_TYPE_TASK,
	},
	.task_ptr = { .info = FTK_INFO(PTR, 0), .type = FTK_TYPE_TASK_KPTR },
	.node = {
		.name_off = FTK_NAME(NODE),
		.info = FTK_INFO(STRUCT, 3),
		.size = sizeof(struct ftk_node),
	},
	.node_members = {
		FTK_MEMBER(LIST, ftk_node, list, LIST_NODE),
		FTK_MEMBER(RB, ftk_node, rb, RB_NODE),
		FTK_MEMBER(REFCOUNT, ftk_node, refs, REFCOUNT),
	},
	.value = {
		.name_off = FTK_NAME(VALUE),
		.info = FTK_INFO(STRUCT, 5),
		.size = sizeof(struct ftk_value),
	},
	.value_members = {
		FTK_MEMBER(SPIN_LOCK, ftk_value, lock, SPIN_LOCK),
		FTK_MEMBER(LIST_HEAD, ftk_value, head, LIST_HEAD),
		FTK_MEMBER(RB_ROOT, ftk_value, root, RB_ROOT),
		FTK_MEMBER(TASK, ftk_value, task, TASK_PTR),
		FTK_MEMBER(TIMER, ftk_value, timer, TIMER),
	},
	.head_tag = {
		.name_off = FTK_NAME(HEAD_TAG),
		.info = FTK_INFO(DECL_TAG, 0),
		.type = FTK_TYPE_VALUE,
	},
	.head_tag_of = { .component_idx = 1 },
	.root_tag = {
		.name_off = FTK_NAME(ROOT_TAG),
		.info = FTK_INFO(DECL_TAG, 0),
		.type = FTK_TYPE_VALUE,
	},
	.root_tag_of = { .component_idx = 2 },
	.int_ptr = { .info = FTK_INFO(PTR, 0), .type = FTK_TYPE_INT },
	.filler = { .info = FTK_INFO(FUNC_PROTO, 1), .type = FTK_TYPE_INT },
	.filled = { .name_off = FTK_NAME(ARG), .type = FTK_TYPE_INT_PTR },
	.xdp = FTK_STRUCT(XDP, xdp_md),
	.xdp_ptr = { .info = FTK_INFO(PTR, 0), .type = FTK_TYPE_XDP },
	.xdp_proto = { .info = FTK_INFO(FUNC_PROTO, 1), .type = FTK_TYPE_INT },
	.xdp_arg = { .name_off = FTK_NAME(ARG), .type = FTK_TYPE_XDP_PTR },
};

/**
 * ftk_btf_load() - load the types of a program
 * @test: the test case, which is failed if they cannot be loaded
 * @name: the name of the program's main function; the others are "sub<n>"
 * @nr_funcs: how many functions it has
 * @globals: bit n set: the n-th function is global. The first function always is.
 * @fillers: bit n set: the n-th function takes an int * instead of an int
 * @xdp: the main function takes a struct xdp_md *
 *
 * The id of a function's type is FTK_TYPE_FUNC plus its number.
 *
 * Context: the thread of the test case.
 * Return: a descriptor, which the caller closes.
 */
int ftk_btf_load(struct kunit *test, const char *name, u32 nr_funcs, u32 globals, u32 fillers,
		 bool xdp)
{
	size_t type_end = struct_size_t(struct ftk_btf, func, nr_funcs);
	size_t str_len = (FTK_STR_FUNC + nr_funcs) * FTK_STR_LEN;
	char (*str)[FTK_STR_LEN];
	struct ftk_btf *btf;
	union bpf_attr attr;
	int fd;
	u32 i;

	btf = kunit_kzalloc(test, type_end + str_len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, btf);
	str = (void *)btf + type_end;

	btf->hdr.magic = BTF_MAGIC;
	btf->hdr.version = BTF_VERSION;
	btf->hdr.hdr_len = sizeof(btf->hdr);
	btf->hdr.type_len = type_end - sizeof(btf->hdr);
	btf->hdr.str_off = btf->hdr.type_len;
	btf->hdr.str_len = str_len;

	btf->types = ftk_types;
	memcpy(str, ftk_strs, sizeof(ftk_strs));

	for (i = 0; i < nr_funcs; i++) {
		bool global = !i || (globals & BIT(i));

		if (i)
			snprintf(str[FTK_STR_FUNC + i], FTK_STR_LEN, "sub%u", i);
		else
			strscpy(str[FTK_STR_FUNC], name, BPF_OBJ_NAME_LEN);
		btf->func[i].name_off = (FTK_STR_FUNC + i) * FTK_STR_LEN;
		btf->func[i].info = FTK_INFO(FUNC, global ? BTF_FUNC_GLOBAL :
							    BTF_FUNC_STATIC);
		btf->func[i].type = fillers & BIT(i) ? FTK_TYPE_FILLER : FTK_TYPE_PROTO;
		if (xdp && !i)
			btf->func[i].type = FTK_TYPE_XDP_PROTO;
	}

	memset(&attr, 0, sizeof(attr));
	attr.btf = (unsigned long)btf;
	attr.btf_size = type_end + str_len;
	fd = kern_sys_bpf(BPF_BTF_LOAD, &attr, sizeof(attr));
	KUNIT_ASSERT_GE(test, fd, 0);
	return fd;
}
