// SPDX-License-Identifier: GPL-2.0-only
/* What it costs that the kernel calls a program back: see callbacks.h */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "callbacks.h"
#include "guest.h"

/* Give a map all the elements that it has room for; what is an array has them already. */
static void fill_map(const struct bpf_map *map)
{
	__u64 values[64] = {};
	__u32 key;

	for (key = 0; key < bpf_map__max_entries(map); key++)
		bpf_map_update_elem(bpf_map__fd(map), &key, values, BPF_ANY);
}

static void fill_ring(const struct bpf_map *map)
{
	struct user_ring_buffer *ring = user_ring_buffer__new(bpf_map__fd(map), NULL);
	void *sample;

	while (ring && (sample = user_ring_buffer__reserve(ring, SAMPLE_SIZE / 2)))
		user_ring_buffer__submit(ring, sample);
	user_ring_buffer__free(ring);
}

static void run(struct bpf_object *object, const struct bpf_program *prog)
{
	struct callbacks callbacks = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &callbacks, .ctx_size_in = sizeof(callbacks));
	__u64 begin, ns = 0;
	int round, err = 0;

	/* The first time warms caches up. */
	for (round = 0; round < 2 && !err; round++) {
		fill_ring(bpf_object__find_map_by_name(object, "samples"));
		begin = guest_now();
		err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
		ns = guest_now() - begin;
	}
	record_begin("callbacks");
	record_string("by", bpf_program__name(prog));
	record_number("calls", err ? 0 : opts.retval);
	record_number("ns", ns);
	record_end();
}

void callbacks_measure(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!object || bpf_object__load(object)) {
		perror(path);
		return;
	}
	bpf_object__for_each_map(map, object)
		if (bpf_map__type(map) != BPF_MAP_TYPE_USER_RINGBUF)
			fill_map(map);
	bpf_object__for_each_program(prog, object)
		run(object, prog);
	bpf_object__close(object);
}
