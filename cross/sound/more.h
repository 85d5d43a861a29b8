/* SPDX-License-Identifier: GPL-2.0-only */
/* What several programs share beside sound.h. */
#ifndef MORE_H
#define MORE_H

#include "sound.h"

/* The most numbers that an iterator goes through. */
#define MOST (8 << 20)

/* Of two elements, the one that nobody writes to: whoever does has left the other one. */
struct value {
	u64 slot[512];
};

#define VALUES(name)					\
	struct {					\
		__uint(type, BPF_MAP_TYPE_ARRAY);	\
		__uint(max_entries, 2);			\
		__type(key, u32);			\
		__type(value, struct value);		\
	} name SEC(".maps")

static __always_inline struct value *element(void *map, u32 key)
{
	return bpf_map_lookup_elem(map, &key);
}

/* What is in an element where nothing should be. */
static __always_inline void look_at(struct value *v)
{
	u32 i;

	for (i = 0; v && i < 512; i++)
		if (v->slot[i]) {
			out[1] = i;
			out[2] = v->slot[i];
		}
}

/* The next element of @it, with a register that looks like memory to be filled. */
#define odd_next(next, it)					\
({								\
	u64 w;							\
								\
	asm volatile("r1 = %[i]; r2 = r10; call %[" #next "]; %[w] = r0;" \
		     : [w]"=r"(w) : [i]"r"(it), __imm(next) : __clobber_all); \
	w;							\
})

/* The result of @function(@arg), where R0 has been the pointer @before. */
#define result_of(function, arg, before)			\
({								\
	u64 r;							\
								\
	asm volatile("r0 = %[b]; r1 = " #arg "; call %[f]; %[r] = r0;" \
		     : [r]"=r"(r) : [b]"r"(before), [f]"i"(function) : __clobber_all); \
	r;							\
})

#endif
