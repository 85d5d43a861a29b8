// SPDX-License-Identifier: GPL-2.0-only
/* Without a loop and without a call of the kernel: global functions that call each other, some 10^9 steps. */
#include "sound.h"
#define R10(x) x x x x x x x x x x
#define R30(x) R10(x x x)
__noinline int g5(int x) { R10(R10(R30(asm volatile("%0 += 1" : "+r"(x));))) return x; }
__noinline int g4(int x) { R30(x += g5(x);) return x; }
__noinline int g3(int x) { R30(x += g4(x);) return x; }
__noinline int g2(int x) { R30(x += g3(x);) return x; }
__noinline int g1(int x) { R30(x += g2(x);) return x; }
SEC("raw_tp/sys_enter")
int chain(void *ctx)
{
	if (once())
		out[0] = g1(1);
	return 0;
}
