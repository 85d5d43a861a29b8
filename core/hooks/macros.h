/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For Coccinelle alone: macros that look like function definitions, and that
 * it would otherwise not parse. A rule inside what it does not parse silently
 * matches nothing.
 */
#define BPF_CALL_0(name, ...) u64 name(void)
#define BPF_CALL_1(name, ...) u64 name(__VA_ARGS__)
#define BPF_CALL_2(name, ...) u64 name(__VA_ARGS__)
#define BPF_CALL_3(name, ...) u64 name(__VA_ARGS__)
#define BPF_CALL_4(name, ...) u64 name(__VA_ARGS__)
#define BPF_CALL_5(name, ...) u64 name(__VA_ARGS__)
