// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tail calls into programs that are quarantined.
 *
 * A tail call enters a program behind the place where its entry is patched. So while a program is
 * quarantined, its elements in maps of programs are empty for tail calls, which are not taken,
 * whether they look at the map or have been patched to jump directly. Users of the map still see
 * the program: what has been taken out is kept in a list.
 */
#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "impose.h"
#include "program.h"
#include "tailcall.h"

/**
 * struct hidden - an element of a map that is empty for tail calls
 * @node: its place in the list
 * @array: the map, which is not freed before its elements have been removed
 * @index: the index of the element
 * @prog: the program, to which the map has a reference
 * @rcu: frees it
 */
struct hidden {
	struct list_head node;
	struct bpf_array *array;
	u32 index;
	struct bpf_prog *prog;
	struct rcu_head rcu;
};

/* Taken with the map's poke_mutex held. Readers are in an RCU read-side section. */
static DEFINE_MUTEX(hidden_lock);
static LIST_HEAD(hidden);

static bool is_confined(const struct bpf_prog *prog)
{
	const struct fastterm_prog *fprog = fastterm_of(prog);

	return fprog && atomic_read(&fprog->quarantine.state) == FASTTERM_CONFINED &&
	       !fastterm_imposes(&fprog->denial);
}

static struct hidden *find(const struct bpf_array *array, u32 index)
{
	struct hidden *h;

	lockdep_assert_held(&hidden_lock);
	list_for_each_entry(h, &hidden, node)
		if (h->array == array && h->index == index)
			return h;
	return NULL;
}

static void delete(struct hidden *h)
{
	list_del_rcu(&h->node);
	kfree_rcu(h, rcu);
}

/* Take an element out of its map, and put it into the list. The caller has locked hidden_lock. */
static void hide(struct hidden *h, struct bpf_array *array, u32 index, struct bpf_prog *prog)
{
	h->array = array;
	h->index = index;
	h->prog = prog;
	list_add_rcu(&h->node, &hidden);
	/* Who sees that it is empty sees it in the list; see fastterm_array_elem(). */
	smp_store_release(&array->ptrs[index], NULL);
}

/**
 * fastterm_array_replaced() - note that an element of a map of programs has been replaced
 * @map: the map
 * @index: the index of the element
 * @old: what the element was for tail calls; receives the program that users have seen there
 * @prog: the new program; NULL if the element has been deleted
 *
 * If the new program is quarantined, the element becomes empty for tail calls.
 *
 * Context: process context, may sleep; with the map's poke_mutex locked.
 */
void fastterm_array_replaced(struct bpf_map *map, u32 index, void **old, void *prog)
{
	struct bpf_array *array = container_of(map, struct bpf_array, map);
	/* Without memory, the program can be entered by this tail call. */
	struct hidden *h = prog && is_confined(prog) ? kmalloc(sizeof(*h), GFP_KERNEL) : NULL;
	struct hidden *before;
	bool empty;

	mutex_lock(&hidden_lock);
	before = find(array, index);
	if (before) {
		*old = before->prog;
		delete(before);
	}
	/* The quarantine may have ended meanwhile. */
	empty = h && is_confined(prog);
	if (empty)
		hide(h, array, index, prog);
	mutex_unlock(&hidden_lock);
	if (empty)
		map->ops->map_poke_run(map, index, prog, NULL);
	else
		kfree(h);
}

/**
 * fastterm_array_elem() - get the element of a map that users see
 * @elem: the element that tail calls see; NULL if there is none
 *
 * Context: in an RCU read-side section.
 * Return: @elem, or where the program is noted that has been taken out of it.
 */
void **fastterm_array_elem(void **elem)
{
	struct hidden *h;

	/* Pairs with the release in hide(). */
	if (!elem || smp_load_acquire(elem))
		return elem;
	list_for_each_entry_rcu(h, &hidden, node)
		if (h->array->ptrs + h->index == elem)
			return (void **)&h->prog;
	return elem;
}

static void hide_in(struct bpf_map *map, struct bpf_prog *prog)
{
	struct bpf_array *array = container_of(map, struct bpf_array, map);
	struct hidden *h;
	u32 i;

	mutex_lock(&array->aux->poke_mutex);
	for (i = 0; i < map->max_entries; i++) {
		cond_resched();
		if (READ_ONCE(array->ptrs[i]) != prog)
			continue;
		h = kmalloc(sizeof(*h), GFP_KERNEL);
		if (!h)
			break;
		mutex_lock(&hidden_lock);
		hide(h, array, i, prog);
		mutex_unlock(&hidden_lock);
		map->ops->map_poke_run(map, i, prog, NULL);
	}
	mutex_unlock(&array->aux->poke_mutex);
}

/**
 * fastterm_tail_hide() - keep tail calls into a program from being taken
 * @prog: the program, whose state is FASTTERM_CONFINED
 *
 * Context: process context, may sleep.
 */
void fastterm_tail_hide(struct bpf_prog *prog)
{
	struct bpf_map *map;
	u32 id = 0;

	while ((map = bpf_map_get_curr_or_next(&id))) {
		if (map->map_type == BPF_MAP_TYPE_PROG_ARRAY)
			hide_in(map, prog);
		bpf_map_put(map);
		id++;
	}
}

/* Find an element that has been taken out, and keep its map. Returns false if there is none. */
static bool next_of(const struct bpf_prog *prog, struct bpf_array **array, u32 *index)
{
	const struct hidden *h;
	bool found = false;

	mutex_lock(&hidden_lock);
	list_for_each_entry(h, &hidden, node) {
		if (h->prog != prog || IS_ERR(bpf_map_inc_not_zero(&h->array->map)))
			continue;
		*array = h->array;
		*index = h->index;
		found = true;
		break;
	}
	mutex_unlock(&hidden_lock);
	return found;
}

/* The caller has locked the map's poke_mutex. */
static void show(struct bpf_array *array, u32 index, struct bpf_prog *prog)
{
	struct bpf_map *map = &array->map;
	struct hidden *h;

	mutex_lock(&hidden_lock);
	h = find(array, index);
	/* The element may have been replaced meanwhile. */
	if (!h || h->prog != prog) {
		mutex_unlock(&hidden_lock);
		return;
	}
	WRITE_ONCE(array->ptrs[index], prog);
	delete(h);
	mutex_unlock(&hidden_lock);
	map->ops->map_poke_run(map, index, NULL, prog);
}

/**
 * fastterm_tail_show() - undo fastterm_tail_hide()
 * @prog: the program, whose state is no longer FASTTERM_CONFINED
 *
 * Context: process context, may sleep.
 */
void fastterm_tail_show(struct bpf_prog *prog)
{
	struct bpf_array *array;
	u32 index;

	while (next_of(prog, &array, &index)) {
		mutex_lock(&array->aux->poke_mutex);
		show(array, index, prog);
		mutex_unlock(&array->aux->poke_mutex);
		bpf_map_put(&array->map);
	}
}
