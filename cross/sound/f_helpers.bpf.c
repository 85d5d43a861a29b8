// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that fill memory in which a pointer was: with a size that is known, one
 * that is not, and none.
 */
#include "dirty.h"

VALUES(values);
u64 word = 0x5151;
volatile u32 size = 8;
char number[8] = "42";

static __noinline u64 of_known_size(void)
{
	u64 comm[2];

	bpf_get_current_comm(comm, sizeof(comm));
	out[0] = comm[0];
	out[1] = comm[1];
	return 0;
}

static __noinline u64 of_any_size(void)
{
	u64 words[2];

	bpf_probe_read_kernel(words, size & 8, &word);
	out[2] = words[0];
	return 0;
}

static __noinline u64 of_no_size(void)
{
	long value;

	bpf_strtol(number, sizeof(number), 10, &value);
	out[3] = value;
	return 0;
}

static __noinline int get(u64 *to)
{
	return bpf_probe_read_kernel(to, sizeof(*to), &word);
}

static __noinline u64 of_a_caller(void)
{
	u64 mine;

	get(&mine);
	out[4] = mine;
	return 0;
}

/* The verifier knows what was there. */
static __noinline u64 reused(struct value *v)
{
	u64 mine = (u64)v;

	bpf_probe_read_kernel(&mine, sizeof(mine), &word);
	out[5] = mine;
	return 0;
}

SEC("raw_tp/sys_enter")
int fill_by_helper(void *ctx)
{
	struct value *v;

	if (!once())
		return 0;
	v = element(&values, 0);
	if (!v)
		return 0;
	linger();
	dirty(v);
	of_known_size();
	dirty(v);
	of_any_size();
	dirty(v);
	of_no_size();
	dirty(v);
	of_a_caller();
	reused(v);
	out[6] = 1;
	return 0;
}
