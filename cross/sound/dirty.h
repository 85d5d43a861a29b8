/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory on the stack in which a pointer was. */
#ifndef DIRTY_H
#define DIRTY_H

#include "more.h"

/* Leave a pointer where the next function that is called from here has its variables. */
static __noinline u64 dirty(void *p)
{
	asm volatile("*(u64 *)(r10 - 8) = %[p];"
		     "*(u64 *)(r10 - 16) = %[p];"
		     "*(u64 *)(r10 - 24) = %[p];"
		     "*(u64 *)(r10 - 32) = %[p];"
		     "*(u64 *)(r10 - 40) = %[p];"
		     "*(u64 *)(r10 - 48) = %[p];" :: [p]"r"(p) : "memory");
	return 0;
}

#endif
