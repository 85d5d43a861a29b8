/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's tracepoints bpf_fastterm:* tell, read from tracefs. */
#ifndef EVENTS_H
#define EVENTS_H

#include <linux/types.h>
#include <stdbool.h>

/**
 * struct event - one event
 * @kind: "request", "redirect", "exit" or "overrun"
 * @id: the program's
 * @time: when it was, in ns of the monotonic clock, rounded to microseconds
 * @kicks: how many interrupts it took; of "exit", as is what follows
 * @frames: how many frames of programs were moved
 * @exit_ns: from the kick that found it until it had left
 * @ran_ns: how long it had run; of "overrun"
 */
struct event {
	char kind[16];
	__u32 id;
	__u64 time;
	__u32 kicks;
	__u32 frames;
	__u64 exit_ns;
	__u64 ran_ns;
};

/* Ask for them. False where the kernel has none. */
bool events_begin(void);

/* The next of those that have come. False if there is none. */
bool events_next(struct event *event);

/* One line of trace_pipe; false if it is none of ours. */
bool events_parse(struct event *event, const char *line);

#endif
