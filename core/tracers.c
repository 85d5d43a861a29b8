// SPDX-License-Identifier: GPL-2.0-only
/*
 * Return addresses, and who keeps them: where a function is traced, or probed, its
 * return address is that of a function of the tracer's, and the real one is in a
 * place of its own, from which it is taken when the function returns.
 */
#include <linux/fastterm_arch.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/rethook.h>
#include <linux/sched.h>

#include <asm/sections.h>

static bool is_tracer(unsigned long ip)
{
#ifdef CONFIG_FUNCTION_GRAPH_TRACER
	if (ip == (unsigned long)dereference_kernel_function_descriptor(return_to_handler))
		return true;
#endif
#ifdef CONFIG_RETHOOK
	if (is_rethook_trampoline(ip))
		return true;
#endif
	return is_kretprobe_trampoline(ip);
}

#ifdef CONFIG_FUNCTION_GRAPH_TRACER
/* Is it the one that is looked for, or one that the kick has not made itself? */
static bool is_frame(const struct fastterm_tracers *tracers, unsigned long retp,
		     unsigned long frame)
{
	if (frame)
		return retp == frame;
	return !tracers->floor || fastterm_same_stack(tracers->floor, retp);
}
#endif

static unsigned long *graph_entry(struct fastterm_tracers *tracers, unsigned long frame)
{
#ifdef CONFIG_FUNCTION_GRAPH_TRACER
	struct ftrace_ret_stack *entry;
	int i = tracers->graph;

	while ((entry = ftrace_graph_get_ret_stack(current, i++))) {
		if (!is_frame(tracers, (unsigned long)entry->retp, frame) || is_tracer(entry->ret))
			continue;
		tracers->graph = i;
		return &entry->ret;
	}
#endif
	return NULL;
}

static unsigned long *hook_entry(struct fastterm_tracers *tracers, unsigned long frame)
{
#ifdef CONFIG_RETHOOK
	struct llist_node *hook = tracers->hook ? tracers->hook->next : current->rethooks.first;
	struct rethook_node *node;

	for (; hook; hook = hook->next) {
		node = container_of(hook, struct rethook_node, llist);
		if ((frame && node->frame != frame) || is_tracer(node->ret_addr))
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
		if ((frame && ri->fp != (void *)frame) ||
		    is_tracer((unsigned long)ri->ret_addr))
			continue;
		tracers->hook = hook;
		return (unsigned long *)&ri->ret_addr;
	}
#endif
	return NULL;
}

static noinline unsigned long *find(struct fastterm_tracers *tracers, unsigned long graph,
				    unsigned long hook)
{
	return graph_entry(tracers, graph) ?: hook_entry(tracers, hook);
}

/**
 * fastterm_resolve() - to what does a return address really lead?
 * @slot: where it is kept, how, and the stack pointer behind the return
 * @text: receives what is there
 * @tracers: what the walk has passed so far
 * @graph: what the function graph tracer knows the frame by; 0 if that cannot be
 *	   told, and then it is the next one
 * @hook: what kretprobe and rethook know it by, likewise
 *
 * Function graph, kretprobe and rethook put the address of a function of theirs
 * in the place of the caller's, which they keep. If several of them did, the last
 * to be returned to is the one that keeps it. Then @slot becomes one in memory, of
 * form 0: as it is.
 *
 * Context: hardirq or NMI, for the current task.
 * Return: true if a tracer keeps it. slot->text is @text, or NULL if it is no program.
 */
bool fastterm_resolve(struct fastterm_slot *slot, struct fastterm_text *text,
		      struct fastterm_tracers *tracers, unsigned long graph,
		      unsigned long hook)
{
	unsigned long *traced = is_tracer(slot->ip) ? find(tracers, graph, hook) : NULL;

	if (traced) {
		slot->at = traced;
		slot->ip = *traced;
		slot->regs = NULL;
		slot->form = 0;
	}
	/* It nearly always is the kernel's, for which nobody has to be called. */
	slot->text = __is_kernel_text(slot->ip) ? NULL : fastterm_text_at(slot->ip, text);
	return traced;
}
