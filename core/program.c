// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data of a program: its sites as they are in the program that the JIT compiles, why it
 * can run for a long time, and its stub images or the reason why it has none.
 *
 * Sites are found here, in the program as the verifier has left it. sites.c decides which
 * of them the stub image skips.
 */
#define pr_fmt(fmt) "fastterm: " fmt

#include <linux/atomic.h>
#include <linux/bpf_verifier.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "decision.h"
#include "image.h"
#include "mode.h"
#include "nmi.h"
#include "program.h"
#include "show.h"
#include "verdict.h"

atomic_t fastterm_nr_progs = ATOMIC_INIT(0);
atomic_t fastterm_nr_stoppable = ATOMIC_INIT(0);
atomic_t fastterm_ended_progs = ATOMIC_INIT(0);
atomic_t fastterm_nr_guards = ATOMIC_INIT(0);
atomic_t fastterm_loads[FASTTERM_ABSENCES];

const struct fastterm_aux fastterm_no_aux;

LIST_HEAD(fastterm_progs);
static DEFINE_SPINLOCK(progs_lock);

/**
 * fastterm_own() - get the data of a program, or of a function of it, to write it
 * @aux: its bpf_prog_aux
 *
 * Context: process context, may sleep; while the program is loaded.
 * Return: the data, which is made if there is none; NULL if there is no memory. Then the program
 * is loaded, but cannot be terminated.
 */
struct fastterm_aux *fastterm_own(struct bpf_prog_aux *aux)
{
	if (!aux->fastterm.own)
		aux->fastterm.own = kzalloc(sizeof(*aux->fastterm.own), GFP_KERNEL_ACCOUNT);
	return aux->fastterm.own;
}

/* The function that instruction @insn is in, which is @func or a later one. */
static u32 func_of(const struct bpf_verifier_env *env, u32 func, u32 insn)
{
	while (func + 1 < env->subprog_cnt &&
	       insn >= env->subprog_info[func + 1].start)
		func++;
	return func;
}

/*
 * Is every run short?
 *
 * The verifier simulates loops iteration by iteration. Where it prunes a state, it has
 * simulated an equivalent state up to the exit, and has counted those instructions and calls.
 * So it has counted everything on the longest run, but for repeated calls of global
 * functions, which are verified once for all their calls. Calls have not been counted if
 * fastterm_is_wanted() has found that the program has few.
 */
static bool is_walked(const struct bpf_verifier_env *env, const struct fastterm_prog *fprog)
{
	if (fprog->verdict.calls_global)
		return env->insn_processed <= FASTTERM_SHORT_RUN / FASTTERM_ENTRIES &&
		       fprog->verdict.visits <= FASTTERM_NESTED_CALLS;
	return env->insn_processed <= FASTTERM_SHORT_RUN &&
	       fprog->verdict.weight <= FASTTERM_SHORT_CALLS * FASTTERM_HEAVY;
}

static void find_loops(const struct bpf_verifier_env *env, struct fastterm_prog *fprog)
{
	const bool walked = is_walked(env, fprog);
	const struct bpf_prog *prog = env->prog;
	unsigned long seen = 0;
	u32 i;

	if (prog->sleepable)
		__set_bit(FASTTERM_SLEEPABLE, &seen);
	for (i = 0; i < prog->len; i++) {
		const struct bpf_insn_aux_data *aux = &env->insn_aux_data[i];
		const struct bpf_insn *insn = &prog->insnsi[i];

		if (bpf_is_ldimm64(insn)) {
			i++;
			continue;
		}
		fprog->loops |= aux->fastterm.kind == FASTTERM_LOOP;
		if (aux->fastterm.kind == FASTTERM_LOOP &&
		    insn->dst_reg == BPF_REG_AX)
			__set_bit(FASTTERM_MAY_GOTO, &seen);
		else if (fastterm_jumps_back(insn) && !walked)
			__set_bit(FASTTERM_BACK_EDGE, &seen);
		if (insn->code == (BPF_JMP | BPF_TAIL_CALL))
			__set_bit(FASTTERM_TAIL, &seen);
		if (aux->calls_callback)
			__set_bit(FASTTERM_CALLBACK, &seen);
		if (aux->is_iter_next)
			__set_bit(FASTTERM_ITERATOR, &seen);
	}
	if (!walked && fprog->verdict.insns)
		__set_bit(FASTTERM_CALLS, &seen);
	fprog->why_long = seen ? __ffs(seen) : FASTTERM_SHORT;
	fprog->loops |= seen & (BIT(FASTTERM_ITERATOR) | BIT(FASTTERM_TAIL) |
				BIT(FASTTERM_BACK_EDGE));
}

/* Is instruction @i a site? If it is, @site receives the decision on it. */
static bool is_site(const struct bpf_verifier_env *env, u32 i, struct fastterm_site *site)
{
	struct fastterm_decision *d = &site->decision;

	*d = env->insn_aux_data[i].fastterm;
	fastterm_decide_last(&env->prog->insnsi[i], d);
	if (!d->kind)
		return false;
	if (!d->why && d->kind != FASTTERM_LOOP)
		site->value = fastterm_result(d);
	return true;
}

/* Find all sites and return their number. The sites are written to @sites unless that is NULL. */
static u32 find_sites(const struct bpf_verifier_env *env,
		      struct fastterm_site *sites)
{
	const struct bpf_prog *prog = env->prog;
	u32 i, nr = 0, jump = 0, func = 0;

	for (i = 0; i < prog->len; i++) {
		const struct bpf_insn *insn = &prog->insnsi[i];
		u8 class = BPF_CLASS(insn->code);
		struct fastterm_site site = {};

		if (func_of(env, func, i) != func) {
			func = func_of(env, func, i);
			jump = 0;
		}
		if (class != BPF_JMP && class != BPF_JMP32)
			continue;
		site.insn = i;
		site.func = func;
		site.jump = jump++;
		site.code = insn->code;
		if (!is_site(env, i, &site))
			continue;
		if (sites)
			sites[nr] = site;
		nr++;
	}
	return nr;
}

/*
 * Each instruction that was skipped when the verifier explored the stub image must still
 * exist once, with the same decision: the program has been rewritten since.
 */
static void compare(const struct bpf_verifier_env *env, struct fastterm_checked *checked,
		    struct fastterm_prog *fprog)
{
	u32 i;

	for (i = 0; i < fprog->nr_sites; i++) {
		const struct fastterm_site *site = &fprog->sites[i];
		const struct fastterm_decision *d = &site->decision;
		u8 now = fastterm_assumption(d, env->insn_aux_data[site->insn].calls_callback);

		if (!now)
			continue;
		if (!d->id || d->id > checked->nr || checked->assumed[d->id - 1] != now) {
			fprog->verdict.why = FASTTERM_REFUSED_LOST;
			fprog->verdict.insn = d->id ? d->id - 1 : site->insn;
			return;
		}
		checked->assumed[d->id - 1] = 0;
	}
	for (i = 0; i < checked->nr; i++) {
		if (!checked->assumed[i])
			continue;
		fprog->verdict.why = FASTTERM_REFUSED_LOST;
		fprog->verdict.insn = i;
		return;
	}
}

/* For each instruction, the index of the instruction of the loaded program that it belongs to. */
static u32 *find_ids(const struct bpf_verifier_env *env)
{
	u32 i, id = 0, *ids = kvmalloc_array(env->prog->len, sizeof(*ids), GFP_KERNEL);

	for (i = env->prog->len; ids && i--; ) {
		id = env->insn_aux_data[i].fastterm.id ? : id;
		ids[i] = id ? id - 1 : 0;
	}
	return ids;
}

/*
 * The largest number of kept calls on any path through the stub image. Calls that the
 * verifier has inserted are counted with the instruction of the loaded program that they
 * belong to.
 */
static u32 most_calls(const struct fastterm_checked *checked, const struct fastterm_prog *fprog)
{
	u32 i, most, kept = 0, *weights = kvcalloc(checked->nr, sizeof(*weights), GFP_KERNEL);

	for (i = 0; weights && fprog->ids && i < fprog->nr_sites; i++) {
		const struct fastterm_decision *d = &fprog->sites[i].decision;

		if (d->why && d->why != FASTTERM_SUBPROG_CALL)
			kept += ++weights[fprog->ids[fprog->sites[i].insn]];
	}
	most = kept ? fastterm_trace_bound(&checked->trace, weights, checked->nr, NULL) : 0;
	kvfree(weights);
	return most;
}

/* Compute how long the program can run after a redirect, in BPF instructions and kept calls. */
static void find_bound(const struct bpf_verifier_env *env, struct fastterm_checked *checked,
		       struct fastterm_prog *fprog)
{
	fprog->verdict.bound = fastterm_trace_bound(&checked->trace, NULL, checked->nr,
						    &fprog->verdict.loop);
	if (!fprog->verdict.bound || fprog->verdict.bound == U32_MAX) {
		fprog->verdict.why = fprog->verdict.bound ? FASTTERM_REFUSED_UNBOUNDED :
							    FASTTERM_REFUSED_MEMORY;
		return;
	}
	fprog->nr_loaded = checked->nr;
	fprog->ids = find_ids(env);
	fprog->nr_ids = fprog->ids ? env->prog->len : 0;
	fprog->verdict.calls = most_calls(checked, fprog);
	swap(fprog->trace, checked->trace);
}

/* Free the data from which bounds are computed. */
static void forget_ways(struct fastterm_prog *fprog)
{
	fastterm_trace_free(&fprog->trace);
	kvfree(fprog->ids);
	fprog->ids = NULL;
}

/*
 * Find the callbacks that timers and workqueues call, and that the program itself does not call: it
 * would rely on what they do. What else calls them back may do so any number of times, also never.
 * If there is no memory, they are not quarantined.
 */
static void find_callbacks(const struct bpf_verifier_env *env, struct fastterm_prog *fprog)
{
	const struct bpf_insn *insn = env->prog->insnsi;
	DECLARE_BITMAP(funcs, BPF_MAX_SUBPROGS + 2) = {};
	u32 i;

	for (i = 1; i < fprog->nr_funcs; i++)
		if (env->subprog_info[i].is_async_cb)
			__set_bit(i, funcs);
	if (bitmap_empty(funcs, fprog->nr_funcs))
		return;
	/* The verifier has put the number of the function there. */
	for (i = 0; i < env->prog->len; i++, insn++)
		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
			__clear_bit(insn->imm, funcs);
	fprog->callbacks = kcalloc(bitmap_weight(funcs, fprog->nr_funcs) ?: 1,
				   sizeof(*fprog->callbacks), GFP_KERNEL_ACCOUNT);
	if (!fprog->callbacks)
		return;
	for_each_set_bit(i, funcs, fprog->nr_funcs)
		fprog->callbacks[fprog->nr_callbacks++] = i;
}

/**
 * fastterm_verified() - make the data of a program that has been verified
 * @env: the verifier's environment
 * @err: the verifier's result
 *
 * If there is no memory, the program is loaded, but it cannot be terminated.
 *
 * Context: process context, may sleep; called by the verifier when the program will not be
 * rewritten any more.
 */
void fastterm_verified(struct bpf_verifier_env *env, int err)
{
	struct fastterm_aux *ours = env->prog->aux->fastterm.own;
	struct fastterm_checked *checked;
	struct fastterm_prog *fprog = NULL;
	u32 nr;

	if (!ours)
		return;
	checked = ours->checked;
	ours->checked = NULL;
	if (err)
		goto out;
	/* If there is no memory below, this is not undone: then only more stacks are searched. */
	if (fastterm_is_guard(env->prog))
		atomic_inc(&fastterm_nr_guards);

	nr = checked ? find_sites(env, NULL) : 0;
	fprog = kvzalloc(struct_size(fprog, sites, nr), GFP_KERNEL_ACCOUNT);
	if (!fprog)
		goto out;
	fprog->nr_sites = nr;
	INIT_LIST_HEAD(&fprog->node);
	if (checked) {
		fprog->verdict = checked->verdict;
		find_sites(env, fprog->sites);
		if (!fprog->verdict.why)
			compare(env, checked, fprog);
		if (!fprog->verdict.why)
			find_bound(env, checked, fprog);
	}
	find_loops(env, fprog);
	fprog->nr_funcs = fastterm_nr_funcs(env->prog);
	/* Without memory, reports do not have it. */
	fprog->func = kstrdup(env->prog->aux->attach_func_name, GFP_KERNEL_ACCOUNT);
	find_callbacks(env, fprog);
	ours->prog = fprog;
	atomic_inc(&fastterm_nr_progs);
out:
	if (checked)
		fastterm_trace_free(&checked->trace);
	kvfree(checked);
}

static enum fastterm_absence build(struct bpf_prog *prog,
				   struct fastterm_prog *fprog)
{
	const struct fastterm_rules *rules;
	u32 i;

	if (!fastterm_supported())
		return FASTTERM_UNSUPPORTED;
	if (!prog->jited || bpf_prog_is_offloaded(prog->aux))
		return FASTTERM_NOT_JITED;
	if (READ_ONCE(fastterm_mode) == FASTTERM_MODE_OFF)
		return FASTTERM_OFF;
	if (READ_ONCE(fastterm_mode) != FASTTERM_MODE_ALL && fprog->why_long == FASTTERM_SHORT)
		return FASTTERM_NOT_NEEDED;
	/* If memory was short, the stub image has not been explored completely. */
	if (!fprog->verdict.insns || fprog->verdict.why == FASTTERM_REFUSED_MEMORY)
		return FASTTERM_NO_MEMORY;
	if (fprog->verdict.why)
		return FASTTERM_UNSOUND;
	for (i = 0; i < fprog->nr_funcs; i++) {
		rules = fastterm_aux(i ? fastterm_func(prog, i) : prog)->rules;
		if (!rules || !fastterm_aux(fastterm_func(prog, i))->layout)
			return FASTTERM_NO_MEMORY;
		if (rules == &fastterm_no_rules)
			return FASTTERM_NO_RULES;
	}
	switch (fastterm_images_build(prog, fprog)) {
	case 0:
		return FASTTERM_PRESENT;
	case -ENOMEM:
		return FASTTERM_NO_MEMORY;
	case -ENOENT:
		return FASTTERM_NOT_FOUND;
	case -ERANGE:
		return FASTTERM_TOO_LARGE;
	default:
		return FASTTERM_CODE;
	}
}

/*
 * Can the program be attached to what other programs call? Then several that are short can take
 * long together, although none has a stub image.
 */
static bool hangs_on_others(const struct bpf_prog *prog)
{
	switch (resolve_prog_type(prog)) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
	case BPF_PROG_TYPE_TRACING:
		return prog->jited;
	default:
		return false;
	}
}

/* Is the program refused because of kernel.bpf_fastterm? Returns 0 or an error. */
static int require(const struct bpf_prog *prog, const struct fastterm_prog *fprog)
{
	if (READ_ONCE(fastterm_mode) != FASTTERM_MODE_REQUIRED || bpf_prog_is_offloaded(prog->aux))
		return 0;
	if (fprog && (!fprog->absence || fprog->why_long == FASTTERM_SHORT))
		return 0;
	pr_warn_ratelimited("program %s (tag %*phN) is refused, since kernel.bpf_fastterm is \"required\", and it could not be terminated: %s\n",
			    prog->aux->name, BPF_TAG_SIZE, prog->tag,
			    fastterm_absence_name(fprog ? fprog->absence : FASTTERM_NO_MEMORY));
	return !fprog || fprog->absence == FASTTERM_NO_MEMORY ? -ENOMEM : -EOPNOTSUPP;
}

/**
 * fastterm_loaded() - make a program's stub images if it gets any
 * @prog: the program
 *
 * Context: process context, may sleep; after the JIT, before the program is visible to
 * users.
 * Return: 0, whether this succeeds or not; an error if stub images are required: -ENOMEM if
 * there was no memory for them, or -EOPNOTSUPP.
 */
int fastterm_loaded(struct bpf_prog *prog)
{
	struct fastterm_aux *ours = prog->aux->fastterm.own;
	struct fastterm_prog *fprog = fastterm_of(prog);
	u32 i;

	/* An address in the main function leads to the program itself. */
	if (prog->aux->real_func_cnt && ours && prog->aux->func[0]->aux->fastterm.own)
		swap(ours->rules, prog->aux->func[0]->aux->fastterm.own->rules);
	if (fprog) {
		fprog->prog = prog;
		fprog->absence = build(prog, fprog);
		fastterm_find_denial(prog, &fprog->denial);
		fastterm_quarantine_init(fprog);
		fprog->watched = !fprog->absence || hangs_on_others(prog);
		if (fprog->watched && atomic_inc_return(&fastterm_nr_stoppable) == 1)
			fastterm_nmi_update();
		if (!fprog->absence)
			fastterm_bound(prog, fprog);
		forget_ways(fprog);
	}
	for (i = 0; i < fastterm_nr_funcs(prog); i++) {
		ours = fastterm_func(prog, i)->aux->fastterm.own;
		if (!ours)
			continue;
		fastterm_layout_free(ours->layout);
		ours->layout = NULL;
	}
	return require(prog, fprog);
}

/**
 * fastterm_publish() - make a program's stub images and data visible
 * @prog: the program, which has its id
 *
 * Context: process context, may sleep.
 */
void fastterm_publish(struct bpf_prog *prog)
{
	struct fastterm_prog *fprog = fastterm_of(prog);

	/* Without struct fastterm_prog, there was no memory for it. */
	atomic_inc(&fastterm_loads[fprog ? fprog->absence : FASTTERM_NO_MEMORY]);
	if (!fprog)
		return;
	fprog->id = prog->aux->id;
	/* S has a symbol if P has one. */
	if (bpf_token_capable(prog->aux->token, CAP_BPF))
		fastterm_images_publish(fprog);
	fastterm_show_add(fprog);
	spin_lock_bh(&progs_lock);
	list_add_rcu(&fprog->node, &fastterm_progs);
	spin_unlock_bh(&progs_lock);
}

/**
 * fastterm_last_put() - handle the release of the last reference to a program
 * @prog: the program
 * @deferred: whether the program may still be running
 *
 * Instances that are still running can be terminated, and may cause faults that have to be
 * handled. In both cases the kernel has to find the program by an address. They can be reported as
 * well, by their lines: the kernel would free those at once.
 *
 * Context: process context.
 * Return: true if the program's symbols have to stay; then fastterm_ended() removes them.
 */
bool fastterm_last_put(struct bpf_prog *prog, bool deferred)
{
	struct fastterm_prog *fprog = fastterm_of(prog);

	if (fprog && deferred) {
		fprog->jited_linfo = prog->aux->jited_linfo;
		fprog->linfo = prog->aux->linfo;
		/* Pairs with insn_at(): who no longer finds them there finds them here. */
		smp_wmb();
		WRITE_ONCE(prog->aux->jited_linfo, NULL);
		WRITE_ONCE(prog->aux->linfo, NULL);
	}
	if (!fprog || !fprog->images)
		return false;
	fprog->stays = deferred;
	return deferred;
}

/**
 * fastterm_ended() - remove the symbols of a program that is no longer running
 * @aux: the program's bpf_prog_aux
 * @again: what is to be called after a further grace period
 *
 * Context: softirq or process context, after a grace period.
 * Return: true if @again will be called; false if the caller has to go on.
 */
bool fastterm_ended(struct bpf_prog_aux *aux, rcu_callback_t again)
{
	struct fastterm_prog *fprog = fastterm_of(aux->prog);

	if (!fprog || !fprog->stays)
		return false;
	fprog->stays = false;
	atomic_inc(&fastterm_ended_progs);
	bpf_prog_kallsyms_del_all(aux->prog);
	call_rcu(&aux->rcu, again);
	return true;
}

/**
 * fastterm_hide() - remove the symbols of a program's stub images
 * @prog: the program, which is about to be freed
 *
 * Context: process or softirq context; a grace period before fastterm_free().
 */
void fastterm_hide(struct bpf_prog *prog)
{
	struct fastterm_prog *fprog = fastterm_of(prog);

	if (!fprog)
		return;
	fastterm_images_hide(fprog);
	/* If loading it has failed at the end, it has not been published. */
	spin_lock_bh(&progs_lock);
	if (!list_empty(&fprog->node))
		list_del_rcu(&fprog->node);
	spin_unlock_bh(&progs_lock);
}

/**
 * fastterm_free() - free the data of a program, or of a function of it
 * @aux: its bpf_prog_aux; pointers in it may be NULL
 *
 * Context: process context, may sleep; when the program can no longer run.
 */
void fastterm_free(struct bpf_prog_aux *aux)
{
	struct fastterm_aux *ours = aux->fastterm.own;

	if (!ours)
		return;
	if (ours->prog) {
		fastterm_show_remove(ours->prog);
		if (ours->prog->watched && atomic_dec_and_test(&fastterm_nr_stoppable))
			fastterm_nmi_update();
		fastterm_images_free(ours->prog);
		forget_ways(ours->prog);
		kfree(ours->prog->callbacks);
		kfree(ours->prog->func);
		kvfree(ours->prog->linfo);
		kvfree(ours->prog->jited_linfo);
		bitmap_free(ours->prog->held);
		kvfree(ours->prog);
		atomic_dec(&fastterm_nr_progs);
		if (fastterm_is_guard(aux->prog))
			atomic_dec(&fastterm_nr_guards);
	}
	if (ours->checked)
		fastterm_trace_free(&ours->checked->trace);
	kvfree(ours->checked);
	fastterm_layout_free(ours->layout);
	fastterm_rules_free(ours->rules);
	kfree(ours);
	aux->fastterm.own = NULL;
}
