// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frame rules
 *
 * This part of the conformance suite tests fastterm_arch_rules(): golden vectors, and what must
 * hold for the functions that the architecture's JIT makes. The suites with "boundary" in their
 * names show that the rules are right at each instruction, since they redirect programs there.
 */
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/string.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "../image.h"
#include "../program.h"
#include "../show.h"
#include "file.h"
#include "prog.h"
#include "runaway.h"
#include "vectors.h"

static bool same_rules(const struct fastterm_rule *a, const struct fastterm_rule *b)
{
	return a->off == b->off && a->cfa == b->cfa && a->sp == b->sp && a->ra == b->ra &&
	       a->fp == b->fp && a->flags == b->flags;
}

static void rules_vectors(struct kunit *test)
{
	struct fastterm_rule rules[ARRAY_SIZE(ftk_rules_vectors->rules)];
	const struct ftk_rules_vector *v;
	int ret, i;
	u8 *code;

	for (v = ftk_rules_vectors; v->name; v++) {
		/*
		 * The vector is at the end of an allocation, so that KASAN finds reads behind
		 * it.
		 */
		code = kunit_kmalloc(test, v->size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, code);
		memcpy(code, v->code, v->size);
		ret = fastterm_arch_rules(code, v->size, v->ranges, v->nr_ranges, rules);
		KUNIT_EXPECT_EQ_MSG(test, ret, v->ret, "%s", v->name);
		for (i = 0; i < min(ret, v->ret); i++)
			KUNIT_EXPECT_TRUE_MSG(test, same_rules(&rules[i], &v->rules[i]),
					      "%s: rule %d: %u: cfa %u, sp %u, ra %u, fp %u, flags %u",
					      v->name, i, rules[i].off, rules[i].cfa, rules[i].sp,
					      rules[i].ra, rules[i].fp, rules[i].flags);
	}
}

/* If one byte is changed, the rules must not remain the same. */
static void rules_corrupted(struct kunit *test)
{
	struct fastterm_rule rules[ARRAY_SIZE(ftk_rules_vectors->rules)];
	const struct ftk_rules_vector *v;
	u8 code[FTK_RULES_SIZE];
	u32 i, seen = 0;
	int ret;

	for (v = ftk_rules_vectors; v->name; v++) {
		/* Change the last byte of each instruction that creates or releases a frame. */
		for (i = 1; (int)i < v->ret; i++) {
			const u32 at = v->rules[i].off - 1;

			/*
			 * This rule begins behind an exit of the function, and not behind such
			 * an instruction.
			 */
			if (i > 1 && v->rules[i].flags & FASTTERM_RULE_FP &&
			    !(v->rules[i - 1].flags & FASTTERM_RULE_FP) && !v->rules[i - 1].fp)
				continue;
			memcpy(code, v->code, v->size);
			code[at] ^= 0x5a;
			ret = fastterm_arch_rules(code, v->size, v->ranges, v->nr_ranges, rules);
			KUNIT_EXPECT_TRUE_MSG(test, ret != v->ret ||
					      !same_rules(&rules[i], &v->rules[i]),
					      "%s: byte %u", v->name, at);
			seen++;
		}
	}
	KUNIT_EXPECT_GT(test, seen, 5);
}

/* Load a program with a callback, which can run for long. */
static struct bpf_prog *load_looping(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	const struct ftk_shape shape = { 1, .iterations = 10, .body = FTK_SNIPPET(body) };
	const struct ftk_insns *p = ftk_runaway(test, &shape);

	return ftk_load(test, p->insns, p->cnt, NULL);
}

static const struct fastterm_rules *rules_of(struct bpf_prog *prog, u32 func)
{
	return fastterm_aux(func ? prog->aux->func[func] : prog)->rules;
}

/* All JITed functions have rules, with or without an image. */
static void rules_everything(struct kunit *test)
{
	static const struct bpf_insn nothing[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog;
	long before;
	u32 i;

	KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
	before = atomic_long_read(&fastterm_rule_bytes);
	prog = ftk_load(test, nothing, ARRAY_SIZE(nothing), NULL);
	KUNIT_EXPECT_NULL(test, fastterm_of(prog)->images);
	KUNIT_ASSERT_NOT_NULL(test, rules_of(prog, 0));
	prog = load_looping(test);
	KUNIT_ASSERT_NOT_NULL(test, fastterm_of(prog)->images);
	for (i = 0; i < fastterm_nr_funcs(prog); i++) {
		const struct fastterm_rules *rules = rules_of(prog, i);
		const struct fastterm_image *image = fastterm_of(prog)->images[i];

		KUNIT_ASSERT_NOT_NULL(test, rules);
		KUNIT_EXPECT_LT(test, rules->row[rules->nr - 1].off,
				fastterm_func(prog, i)->jited_len);
		KUNIT_EXPECT_PTR_EQ(test, rules, fastterm_aux(image->shadow)->rules);
	}
	KUNIT_EXPECT_GT(test, atomic_long_read(&fastterm_rule_bytes), before);
}

/* Behave as for a JIT that the backend does not know. */
static void unknown(struct bpf_prog *prog, const u32 *ends)
{
	prog->aux->fastterm.own->rules = &fastterm_no_rules;
}

static void rules_unknown(struct kunit *test)
{
	struct seq_file *shown = ftk_seq(test);
	struct bpf_prog *prog;

	kunit_activate_static_stub(test, fastterm_rules_make, unknown);
	prog = load_looping(test);
	kunit_deactivate_static_stub(test, fastterm_rules_make);
	KUNIT_EXPECT_EQ(test, fastterm_of(prog)->absence, FASTTERM_NO_RULES);
	KUNIT_EXPECT_NULL(test, fastterm_of(prog)->images);
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(prog, raw_smp_processor_id()), -ENOENT);
	fastterm_show(shown, fastterm_of(prog));
	KUNIT_EXPECT_NOT_NULL(test, strstr(ftk_seq_text(test, shown), "prologue or epilogue"));
}

static struct kunit_case rules_cases[] = {
	KUNIT_CASE(rules_vectors),
	KUNIT_CASE(rules_corrupted),
	KUNIT_CASE(rules_everything),
	KUNIT_CASE(rules_unknown),
	{}
};

static struct kunit_suite rules_suite = {
	.name = "fastterm_rules",
	.test_cases = rules_cases,
};

kunit_test_suite(rules_suite);
