/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events of an interrupt of ours, which are reported to tracepoints later: a program that is
 * attached to a tracepoint must not run while nothing can be terminated on its CPU.
 */
#ifndef _BPF_FASTTERM_EVENTS_H
#define _BPF_FASTTERM_EVENTS_H

#include <linux/bpf.h>
#include <linux/fastterm.h>
#include <linux/percpu.h>
#include <linux/types.h>

/* Functions have longer names, but not those that programs are attached to. */
#define FASTTERM_FUNC_LEN 64

/**
 * struct fastterm_overrun - a program that runs for longer than it may
 * @id: its id
 * @name: its name
 * @tag: its tag
 * @type: its enum bpf_prog_type
 * @func: the function that it is attached to, or ""
 * @ran_ns: for how long the activation has been seen running, with what is nested in it
 * @own_ns: for how long without what is nested in it
 * @own: its own time is over the budget; otherwise only together with what is nested in it
 * @nested_id: the program that most of the rest was spent in; 0 if there is none
 * @nested_name: the name of that program
 *
 * All of this is copied, since the program may be freed before it is reported.
 */
struct fastterm_overrun {
	u32 id;
	char name[BPF_OBJ_NAME_LEN];
	u8 tag[BPF_TAG_SIZE];
	u32 type;
	char func[FASTTERM_FUNC_LEN];
	u64 ran_ns;
	u64 own_ns;
	bool own;
	u32 nested_id;
	char nested_name[BPF_OBJ_NAME_LEN];
};

/* Number of events of this CPU that have been written, minus those that have been reported. */
DECLARE_PER_CPU(u32, fastterm_nr_events);

/**
 * fastterm_events_any() - are there events on this CPU that have not been reported yet?
 *
 * Context: any in which the CPU does not change.
 * Return: true if there are.
 */
static __always_inline bool fastterm_events_any(void)
{
	return this_cpu_read(fastterm_nr_events);
}

void fastterm_event_overrun(const struct fastterm_overrun *overrun);
void fastterm_event_request(u32 id);
void fastterm_event_redirect(const struct fastterm_outcome *outcome, u8 level, int err);
void fastterm_events_later(void);
void fastterm_events_exit(const struct fastterm_outcome *outcome, unsigned long result);

#ifdef CONFIG_BPF_FASTTERM_KUNIT_TEST
/* Called at the end of each kick, in the kick. */
extern void (*fastterm_on_kick)(void *data, const struct fastterm_outcome *outcome, u8 level,
				int err);
extern void *fastterm_on_kick_data;
#endif

#endif /* _BPF_FASTTERM_EVENTS_H */
