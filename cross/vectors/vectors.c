// SPDX-License-Identifier: GPL-2.0-only
/*
 * The golden vectors of an architecture, as an ordinary program: what KUnit's fastterm_encode
 * and fastterm_rules compare in a kernel. Prints KTAP.
 */
#include <linux/fastterm_arch.h>

#include "../../core/encode.h"
#include "../../kunit/vectors.h"

static int nr, failed;

/* One case, which is about all vectors of an array. */
static void report(const char *name, int bad)
{
	printf("    %sok %d %s\n", bad ? "not " : "", ++nr, name);
	failed += !!bad;
}

static int expect(const char *what, const char *name, bool good)
{
	if (!good)
		printf("    # %s: %s\n", what, name);
	return !good;
}

/* The code of a vector, with nothing behind it that could be read unnoticed. */
static u8 *copy_of(const u8 *code, u32 size)
{
	u8 *copy = malloc(size);

	if (!copy)
		exit(EXIT_FAILURE);
	return memcpy(copy, code, size);
}

static int decode(void)
{
	const struct ftk_vector *v;
	int ret, bad = 0;

	for (v = ftk_decode_vectors; v->name; v++) {
		u8 *code = copy_of(v->code, v->size);
		struct fastterm_insn insn;

		ret = fastterm_arch_decode(code, v->off, v->size, ftk_vector_ip, &insn);
		bad += expect("decode", v->name, ret == v->ret &&
			      (ret < 0 || (insn.kind == v->insn.kind && insn.len == v->insn.len &&
					   insn.split == v->insn.split &&
					   insn.target == v->insn.target)));
		free(code);
	}
	return bad;
}

static int encode(void)
{
	const struct ftk_vector *v;
	int ret, bad = 0;

	for (v = ftk_encode_vectors; v->name; v++) {
		u8 *code = copy_of(v->code, v->size);

		ret = fastterm_encode(code, v->off, v->size, ftk_vector_ip, &v->insn);
		bad += expect("encode", v->name, ret == v->ret &&
			      !memcmp(code, ret ? v->code : v->want, v->size));
		free(code);
	}
	return bad;
}

static int thunk(void)
{
	const struct ftk_vector *v;
	int ret, bad = 0;

	for (v = ftk_thunk_vectors; v->name; v++) {
		u8 *code = copy_of(v->code, v->size);

		ret = fastterm_thunk(code, v->off, v->size, ftk_vector_ip, v->insn.target);
		bad += expect("thunk", v->name, ret == v->ret &&
			      !memcmp(code, ret < 0 ? v->code : v->want, v->size));
		free(code);
	}
	return bad;
}

static bool same(const struct fastterm_rule *a, const struct fastterm_rule *b)
{
	return a->off == b->off && a->cfa == b->cfa && a->sp == b->sp && a->ra == b->ra &&
	       a->fp == b->fp && a->flags == b->flags;
}

static int rules(void)
{
	struct fastterm_rule made[sizeof(ftk_rules_vectors->rules) / sizeof(struct fastterm_rule)];
	const struct ftk_rules_vector *v;
	int ret, i, bad = 0;

	for (v = ftk_rules_vectors; v->name; v++) {
		u8 *code = copy_of(v->code, v->size);

		ret = fastterm_arch_rules(code, v->size, v->ranges, v->nr_ranges, made);
		bad += expect("rules", v->name, ret == v->ret);
		for (i = 0; ret == v->ret && i < ret; i++)
			bad += expect("rule", v->name, same(&made[i], &v->rules[i]));
		free(code);
	}
	return bad;
}

int main(void)
{
	printf("    1..4\n");
	report("decode", decode());
	report("encode", encode());
	report("thunk", thunk());
	report("rules", rules());
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
