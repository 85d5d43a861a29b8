/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strikes, and the quarantine of programs that have too many.
 */
#ifndef _BPF_FASTTERM_QUARANTINE_H
#define _BPF_FASTTERM_QUARANTINE_H

#include <linux/atomic.h>
#include <linux/types.h>

struct bpf_prog;
struct fastterm_prog;
struct seq_file;

/* The greatest value of kernel.bpf_fastterm_strikes. */
#define FASTTERM_MAX_STRIKES 32u

/**
 * enum fastterm_confinement - is a program quarantined?
 * @FASTTERM_ADMITTED: it is not
 * @FASTTERM_TO_CONFINE: it has had too many strikes, and will be
 * @FASTTERM_CONFINED: it is
 */
enum fastterm_confinement {
	FASTTERM_ADMITTED,
	FASTTERM_TO_CONFINE,
	FASTTERM_CONFINED,
};

/**
 * struct fastterm_quarantine - the strikes and the quarantines of a program
 * @state: enum fastterm_confinement
 * @nr: number of strikes since the program was loaded
 * @forgotten: how many of them no longer count
 * @at: when the last ones were, by their number, in ms of the monotonic clock
 * @times: number of quarantines in a row
 * @lasted: how long the last one was, in ms
 * @released: when it ended, in ms
 * @since: when the present one began, in ns
 * @until: when it ends, in ns; U64_MAX if it does not end by itself
 * @ns: the time of all earlier ones together, in ns
 * @failed: why the entries could not be closed: an error, or 0
 * @closed: while it is quarantined, the entries are closed, and there is no other way in
 *
 * CPUs write the strikes in interrupts, without a lock. The rest belongs to quarantine.c.
 */
struct fastterm_quarantine {
	atomic_t state;
	atomic_t nr;
	u32 forgotten;
	u32 at[FASTTERM_MAX_STRIKES];
	u32 times;
	u32 lasted;
	u32 released;
	u64 since;
	u64 until;
	u64 ns;
	int failed;
	bool closed;
};

/**
 * struct fastterm_share - the account of a program's share of CPU time
 * @ns: what samples have found it running for, minus what it may use, in ns
 * @drained: when the latter was last taken off, in ns of the monotonic clock
 */
struct fastterm_share {
	atomic64_t ns;
	atomic64_t drained;
};

extern unsigned int fastterm_strikes, fastterm_quarantine_max_s;

void fastterm_quarantine_init(struct fastterm_prog *fprog);
void fastterm_keep_out(const struct fastterm_prog *fprog);
void fastterm_strike(struct fastterm_prog *fprog);
int fastterm_quarantine_holds(const struct fastterm_prog *fprog, int cpu);
bool fastterm_ends_early(const struct fastterm_prog *fprog);
void fastterm_share_sampled(struct fastterm_prog *fprog, u64 ran);
void fastterm_quarantine_show(struct seq_file *m, const struct fastterm_prog *fprog);

#endif /* _BPF_FASTTERM_QUARANTINE_H */
