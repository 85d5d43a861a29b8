/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: bpf_fastterm:bpf_fastterm_overrun, _request, _redirect, _exit and _quarantine.
 * They are reached only where programs that are attached to them can be terminated: see events.c.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM bpf_fastterm

#if !defined(_BPF_FASTTERM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _BPF_FASTTERM_TRACE_H

#include <linux/bpf.h>
#include <linux/fastterm.h>
#include <linux/tracepoint.h>

#include "events.h"

/*
 * A trigger has seen a program run for longer than it may. The type is enum bpf_prog_type,
 * the function the one that it is attached to, if any. Where @own_ns is within the budget,
 * what is nested in it took the rest, most of it the program with the id @nested.
 */
TRACE_EVENT(bpf_fastterm_overrun,
	    TP_PROTO(const struct fastterm_overrun *overrun, int cpu),
	    TP_ARGS(overrun, cpu),
	    TP_STRUCT__entry(__field(u32, id)
			     __array(char, name, BPF_OBJ_NAME_LEN)
			     __array(u8, tag, BPF_TAG_SIZE)
			     __field(u32, type)
			     __string(func, overrun->func)
			     __field(int, cpu)
			     __field(u64, ran_ns)
			     __field(u64, own_ns)
			     __field(u32, nested)),
	    TP_fast_assign(__entry->id = overrun->id;
			   memcpy(__entry->name, overrun->name, BPF_OBJ_NAME_LEN);
			   memcpy(__entry->tag, overrun->tag, BPF_TAG_SIZE);
			   __entry->type = overrun->type;
			   __assign_str(func);
			   __entry->cpu = cpu;
			   __entry->ran_ns = overrun->ran_ns;
			   __entry->own_ns = overrun->own_ns;
			   __entry->nested = overrun->nested_id;),
	    TP_printk("prog=%u name=%s tag=%s type=%u func=%s target_cpu=%d ran_ns=%llu own_ns=%llu nested=%u",
		      __entry->id, __entry->name, __print_hex_str(__entry->tag, BPF_TAG_SIZE),
		      __entry->type, __get_str(func), __entry->cpu, __entry->ran_ns,
		      __entry->own_ns, __entry->nested)
);

/* The termination of the program with this id has been requested on a CPU. */
TRACE_EVENT(bpf_fastterm_request,
	    TP_PROTO(u32 id, int cpu),
	    TP_ARGS(id, cpu),
	    TP_STRUCT__entry(__field(u32, id)
			     __field(int, cpu)),
	    TP_fast_assign(__entry->id = id;
			   __entry->cpu = cpu;),
	    TP_printk("prog=%u target_cpu=%d", __entry->id, __entry->cpu)
);

/* A kick on this CPU has looked for the program; @err is the result of fastterm_redirect(). */
TRACE_EVENT(bpf_fastterm_redirect,
	    TP_PROTO(const struct fastterm_outcome *outcome, u8 level, int err),
	    TP_ARGS(outcome, level, err),
	    TP_STRUCT__entry(__field(u32, id)
			     __field(u32, kicks)
			     __field(u32, frames)
			     __field(u8, level)
			     __field(int, err)),
	    TP_fast_assign(__entry->id = outcome->id;
			   __entry->kicks = outcome->kicks;
			   __entry->frames = outcome->frames;
			   __entry->level = level;
			   __entry->err = err;),
	    TP_printk("prog=%u level=%u kicks=%u frames=%u err=%d", __entry->id,
		      __entry->level, __entry->kicks, __entry->frames, __entry->err)
);

/* The activation has left. */
TRACE_EVENT(bpf_fastterm_exit,
	    TP_PROTO(const struct fastterm_outcome *outcome, unsigned long result),
	    TP_ARGS(outcome, result),
	    TP_STRUCT__entry(__field(u32, id)
			     __field(u32, kicks)
			     __field(u32, frames)
			     __field(u64, request_ns)
			     __field(u64, exit_ns)
			     __field(u64, result)),
	    TP_fast_assign(__entry->id = outcome->id;
			   __entry->kicks = outcome->kicks;
			   __entry->frames = outcome->frames;
			   __entry->request_ns = outcome->request_ns;
			   __entry->exit_ns = outcome->exit_ns;
			   __entry->result = result;),
	    TP_printk("prog=%u kicks=%u frames=%u request_ns=%llu exit_ns=%llu result=%#llx",
		      __entry->id, __entry->kicks, __entry->frames, __entry->request_ns,
		      __entry->exit_ns, __entry->result)
);

/* The program with this id is quarantined for @ms; or it has been, and is not any more. */
TRACE_EVENT(bpf_fastterm_quarantine,
	    TP_PROTO(u32 id, bool on, u64 ms, u32 strikes),
	    TP_ARGS(id, on, ms, strikes),
	    TP_STRUCT__entry(__field(u32, id)
			     __field(bool, on)
			     __field(u64, ms)
			     __field(u32, strikes)),
	    TP_fast_assign(__entry->id = id;
			   __entry->on = on;
			   __entry->ms = ms;
			   __entry->strikes = strikes;),
	    TP_printk("prog=%u on=%d ms=%llu strikes=%u", __entry->id, __entry->on, __entry->ms,
		      __entry->strikes)
);

#endif /* _BPF_FASTTERM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
