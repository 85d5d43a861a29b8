// SPDX-License-Identifier: GPL-2.0-only
/*
 * Return addresses that tracers keep: the return address of a function that is traced or
 * probed is that of a function of the tracer. The original one is in the tracer's data,
 * from which it is taken when the function returns.
 */
#include <linux/fastterm_arch.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/rethook.h>
#include <linux/sched.h>

#include "walk.h"

/*
 * The entry with @retp; if that is 0, the next entry of a frame on the walked stack.
 * Entries of the kick itself are below the interrupted registers and are skipped.
 */
static unsigned long *graph_entry(const struct fastterm_frame *frame,
				  struct fastterm_tracers *tracers, unsigned long retp)
{
#ifdef CONFIG_FUNCTION_GRAPH_TRACER
	struct ftrace_ret_stack *entry;
	int i = tracers->graph;
	unsigned long at;

	while ((entry = ftrace_graph_get_ret_stack(current, i++))) {
		at = (unsigned long)entry->retp;
		if (retp ? at != retp : at < tracers->floor || at >= frame->high)
			continue;
		if (fastterm_is_tracer(entry->ret))
			continue;
		tracers->graph = i;
		return &entry->ret;
	}
#endif
	return NULL;
}

static unsigned long *hook_entry(struct fastterm_tracers *tracers, unsigned long key)
{
#ifdef CONFIG_RETHOOK
	struct llist_node *hook = tracers->hook ? tracers->hook->next : current->rethooks.first;
	struct rethook_node *node;

	for (; hook; hook = hook->next) {
		node = container_of(hook, struct rethook_node, llist);
		if ((key && node->frame != key) || fastterm_is_tracer(node->ret_addr))
			continue;
		tracers->hook = hook;
		return &node->ret_addr;
	}
#elif defined(CONFIG_KRETPROBES)
	struct llist_node *hook = tracers->hook ? tracers->hook->next :
						  current->kretprobe_instances.first;
	struct kretprobe_instance *ri;

	for (; hook; hook = hook->next) {
		ri = container_of(hook, struct kretprobe_instance, llist);
		if ((key && ri->fp != (void *)key) ||
		    fastterm_is_tracer((unsigned long)ri->ret_addr))
			continue;
		tracers->hook = hook;
		return (unsigned long *)&ri->ret_addr;
	}
#endif
	return NULL;
}

/**
 * fastterm_traced() - find the original return address of a traced function
 * @frame: the function that the return address leads to, as far as the walk knows it; its
 *	   @ip is in a tracer's function
 * @tracers: the entries that the walk has passed so far
 *
 * Function graph, kretprobe and rethook replace a return address by that of a function of
 * their own, and keep the original. If several of them have done so for one function, the
 * tracer that is returned to last has the original.
 *
 * Context: hardirq or NMI, for the current task.
 * Return: where the original return address is; NULL if it is not found.
 */
unsigned long *fastterm_traced(const struct fastterm_frame *frame,
			       struct fastterm_tracers *tracers)
{
	unsigned long graph, hook;

	fastterm_arch_traced(frame, &graph, &hook);
	return graph_entry(frame, tracers, graph) ?: hook_entry(tracers, hook);
}
