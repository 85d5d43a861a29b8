// SPDX-License-Identifier: GPL-2.0-only
/* The same, with the watchdog off. */
#include "lockup.bpf.c"
