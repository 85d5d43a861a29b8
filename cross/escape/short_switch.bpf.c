// SPDX-License-Identifier: GPL-2.0-only
/* The same chain, whose first program runs with the lock of a run queue held. */
#define FIRST "tp_btf/sched_switch"
#include "short_chain.bpf.c"
