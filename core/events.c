// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of an interrupt of ours, which are reported to tracepoints later.
 *
 * An interrupt of ours writes events to a buffer of its CPU. They are reported in a softirq,
 * with interrupts on, or where an activation has left, whichever comes first. A program that
 * is attached to a tracepoint can be terminated there like any other. That is not reported in
 * turn: each such program would run once more for each time that one of them is terminated.
 */
#include <linux/atomic.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "events.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

/* More events than kicks take until softirqs are handled. What does not fit is not reported. */
#define MAX_EVENTS 16u

/**
 * enum kind - the kind of an event
 * @OVERRUN: a trigger has seen a program run for longer than it may
 * @REQUEST: it has asked for the program's termination
 * @REDIRECT: a kick has looked for a program
 */
enum kind {
	OVERRUN,
	REQUEST,
	REDIRECT,
};

/**
 * struct event - an event
 * @kind: its kind
 * @overrun: of an OVERRUN
 * @outcome: of a REQUEST its id; of a REDIRECT the outcome so far
 * @level: of a REDIRECT, the level of the interrupted context
 * @err: of a REDIRECT, the result of fastterm_redirect()
 */
struct event {
	enum kind kind;
	struct fastterm_overrun overrun;
	struct fastterm_outcome outcome;
	u8 level;
	int err;
};

/**
 * struct events - the events of a CPU that have not been reported yet
 * @written: number of events that have been written since boot
 * @read: number of events that have been reported since boot
 * @reporting: a tracepoint has been reached, and programs that are attached to it may run
 * @later: reports them
 * @event: the events
 */
struct events {
	u32 written;
	u32 read;
	bool reporting;
	struct tasklet_struct later;
	struct event event[MAX_EVENTS];
};

static DEFINE_PER_CPU(struct events, events);

DEFINE_PER_CPU(u32, fastterm_nr_events);

/* Only interrupts of ours write events, and they do not nest. */
static struct event *next_event(struct events *e)
{
	return !e->reporting && e->written - READ_ONCE(e->read) < MAX_EVENTS ?
	       &e->event[e->written % MAX_EVENTS] : NULL;
}

static void written(struct events *e)
{
	/* An NMI may interrupt fire_all(): the event is there before its number. */
	barrier();
	e->written++;
	this_cpu_inc(fastterm_nr_events);
}

/**
 * fastterm_event_overrun() - report that a program runs for longer than it may
 * @overrun: the program
 *
 * Context: an interrupt of ours.
 */
void fastterm_event_overrun(const struct fastterm_overrun *overrun)
{
	struct events *e = this_cpu_ptr(&events);
	struct event *event = trace_bpf_fastterm_overrun_enabled() ? next_event(e) : NULL;

	if (!event)
		return;
	event->kind = OVERRUN;
	event->overrun = *overrun;
	written(e);
}

/**
 * fastterm_event_request() - report that a trigger has asked for a termination on this CPU
 * @id: the program's id
 *
 * Context: an interrupt of ours.
 */
void fastterm_event_request(u32 id)
{
	struct events *e = this_cpu_ptr(&events);
	struct event *event = trace_bpf_fastterm_request_enabled() ? next_event(e) : NULL;

	if (!event)
		return;
	event->kind = REQUEST;
	event->outcome.id = id;
	written(e);
}

#ifdef CONFIG_BPF_FASTTERM_KUNIT_TEST
void (*fastterm_on_kick)(void *data, const struct fastterm_outcome *outcome, u8 level, int err);
void *fastterm_on_kick_data;
#endif

/**
 * fastterm_event_redirect() - report that a kick has looked for a program
 * @outcome: the outcome so far
 * @level: the level of the interrupted context
 * @err: the result of fastterm_redirect()
 *
 * Context: an interrupt of ours.
 */
void fastterm_event_redirect(const struct fastterm_outcome *outcome, u8 level, int err)
{
	struct events *e = this_cpu_ptr(&events);
	struct event *event;

#ifdef CONFIG_BPF_FASTTERM_KUNIT_TEST
	if (READ_ONCE(fastterm_on_kick))
		fastterm_on_kick(fastterm_on_kick_data, outcome, level, err);
#endif
	event = trace_bpf_fastterm_redirect_enabled() ? next_event(e) : NULL;
	if (!event)
		return;
	event->kind = REDIRECT;
	event->outcome = *outcome;
	event->level = level;
	event->err = err;
	written(e);
}

/**
 * fastterm_events_later() - have events reported in a softirq
 *
 * Context: an interrupt of ours, but not an NMI.
 */
void fastterm_events_later(void)
{
	tasklet_hi_schedule(this_cpu_ptr(&events.later));
}

static void fire(const struct event *event)
{
	switch (event->kind) {
	case OVERRUN:
		trace_bpf_fastterm_overrun(&event->overrun, smp_processor_id());
		return;
	case REQUEST:
		trace_bpf_fastterm_request(event->outcome.id, smp_processor_id());
		return;
	case REDIRECT:
		trace_bpf_fastterm_redirect(&event->outcome, event->level, event->err);
		return;
	}
}

/* Report the events of this CPU. */
static void fire_all(struct events *e)
{
	struct event event;
	u32 nr;

	while ((nr = READ_ONCE(e->read)) != READ_ONCE(e->written)) {
		event = e->event[nr % MAX_EVENTS];
		if (this_cpu_cmpxchg(events.read, nr, nr + 1) != nr)
			continue;
		this_cpu_dec(fastterm_nr_events);
		fire(&event);
	}
}

/*
 * Programs that run meanwhile, here or in what interrupts this, are not reported if they are
 * terminated. Returns false if this is one of those that are not to be reported.
 */
static bool begin(struct events *e)
{
	if (e->reporting)
		return false;
	WRITE_ONCE(e->reporting, true);
	barrier();
	return true;
}

static void end(struct events *e)
{
	barrier();
	WRITE_ONCE(e->reporting, false);
}

/**
 * fastterm_events_exit() - report the events of this CPU, and that an activation has left
 * @outcome: the outcome of its termination
 * @result: its result
 *
 * Context: any in which programs run: the CPU does not change.
 */
void fastterm_events_exit(const struct fastterm_outcome *outcome, unsigned long result)
{
	struct events *e = this_cpu_ptr(&events);

	if (!fastterm_events_any() && !trace_bpf_fastterm_exit_enabled())
		return;
	if (!begin(e))
		return;
	fire_all(e);
	trace_bpf_fastterm_exit(outcome, result);
	end(e);
}

static void fire_later(struct tasklet_struct *later)
{
	struct events *e = this_cpu_ptr(&events);

	if (!begin(e))
		return;
	fire_all(e);
	end(e);
}

static int __init fastterm_events_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		tasklet_setup(&per_cpu(events.later, cpu), fire_later);
	return 0;
}
core_initcall(fastterm_events_init);
