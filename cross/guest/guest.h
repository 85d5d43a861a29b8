/* SPDX-License-Identifier: GPL-2.0-only */
/* What every program of ours that is a guest's first process has in common. */
#ifndef GUEST_H
#define GUEST_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Mount what a BPF loader needs, show it the kernel's configuration, which is
 * /config, and keep the kernel's messages off the console. Run by anybody but the
 * kernel, the program ends here.
 */
void guest_begin(void);

/* Print what the kernel has said, and end the machine. */
void guest_end(void) __attribute__((noreturn));

/* The same where the machine could wait for something that does not happen. */
void guest_abandon(void) __attribute__((noreturn));

#define NS_PER_MS 1000000ULL
/* The longest that anything may take before it counts as not happening. */
#define GUEST_PATIENCE (5000 * NS_PER_MS)

/* The monotonic clock, and to sleep by it, in ns. */
__u64 guest_now(void);
void guest_wait(__u64 ns);

/* Look at @condition now and then, until it is true or GUEST_PATIENCE is over. */
#define guest_wait_for(condition)					\
({									\
	__u64 until = guest_now() + GUEST_PATIENCE;			\
	bool is_true;							\
									\
	while (!(is_true = (condition)) && guest_now() < until)		\
		guest_wait(NS_PER_MS);					\
	is_true;							\
})

/*
 * Whether boot is over. It is not while the kernel has a clock for the time being:
 * when it takes the one that it keeps, all CPUs have to come.
 */
bool guest_has_settled(void);

/*
 * A record: one JSON object on a line of its own. A NULL @key in an array.
 * Ends only when it has left the machine, so that sending it costs nothing
 * while something else is measured.
 */
void record_begin(const char *kind);
void record_number(const char *key, __u64 value);
void record_string(const char *key, const char *value);
void record_hex(const char *key, const __u8 *bytes, size_t len);
void record_open(const char *key);
void record_close(void);
void record_end(void);

/* Choose which programs get stub images; false where the kernel has no such choice. */
bool fastterm_choose(const char *mode);

/* What the kernel knows of a program, bpf_fastterm/<id> in debugfs. */
struct fastterm_report {
	char why_long[80];
	char no_image[80];
	char refused[256];	/* what the check of the stub image says, if it does not accept it */
	__u64 image_bytes;
	unsigned int stub_insns;	/* instructions that the verifier looked at in the stub image */
	bool again, alone;	/* both were explored once more, the program was on its own */
	unsigned int bound, bpf_bound, calls;	/* of what is left after a redirect */
	char kept[256];		/* the functions that are called then */
	char loop[80];		/* what takes most of it */
};

/* False where the kernel knows nothing of it. */
bool fastterm_report(__u32 id, struct fastterm_report *report);

#endif
