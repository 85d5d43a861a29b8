// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decoding and encoding native instructions
 *
 * This part of the conformance suite tests the pure functions of <linux/fastterm_arch.h>: golden
 * vectors show what an architecture makes of single instructions, and generic cases show what
 * must hold on all architectures, for these vectors and for the machine code of programs. No
 * case knows what the bytes mean.
 */
#include <linux/bitops.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include <kunit/test.h>

#include "../encode.h"
#include "map.h"
#include "prog.h"
#include "vectors.h"

/* Room for thunks behind the copy of a program. */
#define THUNK_SPACE SZ_1K

/**
 * struct code - code that is decoded or moved
 * @bytes: the code
 * @size: size of the code
 * @room: size of the buffer, with the space for thunks behind the code
 * @end: end of the thunks that have been placed behind the code
 * @ip: address at which the code runs, or would run
 */
struct code {
	u8 *bytes;
	u32 size;
	u32 room;
	u32 end;
	unsigned long ip;
};

/*
 * The first @size bytes of a vector, at a misaligned address and at the end of an allocation, so
 * that KASAN finds reads behind them.
 */
static u8 *vector_code(struct kunit *test, const struct ftk_vector *v, u32 size)
{
	const u32 misalign = 2;
	u8 *buf = kunit_kmalloc(test, misalign + size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	return memcpy(buf + misalign, v->code, size);
}

static void encode_decode_vectors(struct kunit *test)
{
	const struct ftk_vector *v;

	for (v = ftk_decode_vectors; v->name; v++) {
		const u8 *code = vector_code(test, v, v->size);
		struct fastterm_insn insn;
		int ret;

		memset(&insn, 0xff, sizeof(insn));
		ret = fastterm_arch_decode(code, v->off, v->size, ftk_vector_ip,
					   &insn);
		KUNIT_EXPECT_EQ_MSG(test, ret, v->ret, "%s", v->name);
		if (ret < 0)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, insn.kind, v->insn.kind, "%s", v->name);
		KUNIT_EXPECT_EQ_MSG(test, insn.len, v->insn.len, "%s", v->name);
		KUNIT_EXPECT_EQ_MSG(test, insn.split, v->insn.split, "%s", v->name);
		KUNIT_EXPECT_EQ_MSG(test, insn.target, v->insn.target, "%s",
				    v->name);
	}
}

static void encode_incomplete(struct kunit *test)
{
	const struct ftk_vector *v;
	struct fastterm_insn insn;
	u32 size;

	for (v = ftk_decode_vectors; v->name; v++) {
		for (size = v->off; v->ret > 0 && size < v->size; size++) {
			const u8 *code = vector_code(test, v, size);

			KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
					    fastterm_arch_decode(code, v->off, size,
								 ftk_vector_ip,
								 &insn),
					    "%u bytes of %s", size, v->name);
		}
	}
}

/* Bytes before the beginning of the code are not read, wherever the code begins. */
static void encode_beginning(struct kunit *test)
{
	const struct ftk_vector *v;
	u32 begin;

	for (v = ftk_decode_vectors; v->name; v++) {
		const u8 *code = vector_code(test, v, v->size);

		for (begin = 1; begin <= v->off; begin++) {
			const unsigned long ip = ftk_vector_ip + begin;
			const u32 off = v->off - begin, size = v->size - begin;
			struct fastterm_insn behind = {}, alone = {};
			u8 *copy = kunit_kzalloc(test, size, GFP_KERNEL);

			KUNIT_ASSERT_NOT_NULL(test, copy);
			memcpy(copy, code + begin, size);
			KUNIT_EXPECT_EQ_MSG(test,
					    fastterm_arch_decode(code + begin, off,
								 size, ip, &behind),
					    fastterm_arch_decode(copy, off, size,
								 ip, &alone),
					    "%s", v->name);
			KUNIT_EXPECT_EQ_MSG(test, behind.kind, alone.kind, "%s",
					    v->name);
			KUNIT_EXPECT_EQ_MSG(test, behind.target, alone.target,
					    "%s", v->name);
		}
	}
}

static void encode_encode_vectors(struct kunit *test)
{
	const struct ftk_vector *v;

	for (v = ftk_encode_vectors; v->name; v++) {
		u8 *code = vector_code(test, v, v->size);
		int ret = fastterm_encode(code, v->off, v->size, ftk_vector_ip, &v->insn);

		KUNIT_EXPECT_EQ_MSG(test, ret, v->ret, "%s", v->name);
		KUNIT_EXPECT_MEMEQ_MSG(test, code, v->ret ? v->code : v->want,
				       v->size, "%s", v->name);
	}
}

static void encode_thunk_vectors(struct kunit *test)
{
	const struct ftk_vector *v;

	for (v = ftk_thunk_vectors; v->name; v++) {
		u8 *code = vector_code(test, v, v->size);
		int ret = fastterm_thunk(code, v->off, v->size, ftk_vector_ip,
					 v->insn.target);

		KUNIT_EXPECT_EQ_MSG(test, ret, v->ret, "%s", v->name);
		KUNIT_EXPECT_MEMEQ_MSG(test, code, ret < 0 ? v->code : v->want,
				       v->size, "%s", v->name);
	}
}

/* The address to which the thunk at @off leads; 0 if there is no thunk. */
static unsigned long thunk_target(const struct code *c, u32 off)
{
	struct fastterm_insn insn;
	int len;

	for (; off < c->end; off += len) {
		len = fastterm_arch_decode(c->bytes, off, c->end, c->ip, &insn);
		if (len < 0)
			return 0;
		if (insn.kind == FASTTERM_INSN_JUMP)
			return insn.target;
		if (insn.kind != FASTTERM_INSN_PLAIN)
			return 0;
	}
	return 0;
}

/* Make the instruction at @off refer to @insn->target, through a thunk if necessary. */
static int refer(struct code *c, u32 off, struct fastterm_insn insn)
{
	int err = fastterm_encode(c->bytes, off, c->room, c->ip, &insn);
	int len;

	if (err != -ERANGE || insn.kind == FASTTERM_INSN_DATA)
		return err;
	len = fastterm_thunk(c->bytes, c->end, c->room, c->ip, insn.target);
	if (len < 0)
		return len;
	insn.target = c->ip + c->end;
	c->end += len;
	return fastterm_encode(c->bytes, off, c->room, c->ip, &insn);
}

/*
 * Decode the instruction at @off and resolve a thunk. Data is never reached through a thunk:
 * what lies behind the code is then the literal itself.
 */
static int referred(const struct code *c, u32 off, struct fastterm_insn *insn)
{
	int len = fastterm_arch_decode(c->bytes, off, c->size, c->ip, insn);

	if (len > 0 && insn->kind != FASTTERM_INSN_DATA &&
	    insn->target >= c->ip + c->size && insn->target < c->ip + c->end)
		insn->target = thunk_target(c, insn->target - c->ip);
	return len;
}

/* What is decoded of an instruction is enough to encode it at another address. */
static void encode_round_trip(struct kunit *test)
{
	static const int moves[] = { 0, 0x40, -0x40, 0x1000, -0x7f000 };
	const struct ftk_vector *v;
	u32 i;

	for (v = ftk_decode_vectors; v->name; v++) {
		u32 out_of_reach = 0;

		if (v->ret < 0 || v->insn.kind == FASTTERM_INSN_PLAIN)
			continue;
		for (i = 0; i < ARRAY_SIZE(moves); i++) {
			u8 bytes[FTK_VECTOR_SIZE + 64];
			struct fastterm_insn insn;
			struct code c = {
				.bytes = bytes,
				.size = v->size,
				.room = sizeof(bytes),
				.end = v->size,
				.ip = ftk_vector_ip + moves[i],
			};
			int err;

			memcpy(bytes, v->code, v->size);
			err = refer(&c, v->off, v->insn);
			if (err == -ERANGE) {
				out_of_reach++;
				continue;
			}
			KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s", v->name);
			KUNIT_EXPECT_EQ_MSG(test, referred(&c, v->off, &insn),
					    v->ret, "%s", v->name);
			KUNIT_EXPECT_EQ_MSG(test, insn.kind, v->insn.kind, "%s",
					    v->name);
			KUNIT_EXPECT_EQ_MSG(test, insn.target, v->insn.target,
					    "%s, moved by %d", v->name, moves[i]);
		}
		/* An instruction at the limit of its range can be moved in one direction only. */
		KUNIT_EXPECT_LT_MSG(test, out_of_reach, ARRAY_SIZE(moves) - 1,
				    "%s", v->name);
	}
}

/* The following cases are about programs that have passed the verifier and the JIT. */

static const struct bpf_insn calls[] = {
	/* a loop with helpers, none of which is inlined */
	BPF_MOV64_IMM(BPF_REG_6, 0),
	FTK_CALL(BPF_FUNC_ktime_get_ns),
	BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
	FTK_CALL(BPF_FUNC_get_prandom_u32),
	BPF_JMP_IMM(BPF_JSET, BPF_REG_0, 1, 2),
	BPF_JMP32_IMM(BPF_JSGT, BPF_REG_0, 1000, 1),
	BPF_ALU64_REG(BPF_ADD, BPF_REG_7, BPF_REG_0),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
	BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 10, -8),
	FTK_CALL(BPF_FUNC_get_numa_node_id),
	FTK_CALL(BPF_FUNC_ktime_get_boot_ns),
	BPF_ALU64_REG(BPF_XOR, BPF_REG_0, BPF_REG_7),
	BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 7, 1),
	BPF_EXIT_INSN(),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
};

static const struct bpf_insn functions[] = {
	/* 0: return bpf_loop(sub1(10), sub2, fp, 0) */
	BPF_MOV64_IMM(BPF_REG_1, 10),
	BPF_CALL_REL(7),
	BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
	BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 8),
	BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
	BPF_MOV64_IMM(BPF_REG_4, 0),
	FTK_CALL(BPF_FUNC_loop),
	BPF_EXIT_INSN(),
	/* 9: sub1 */
	BPF_MOV64_REG(BPF_REG_0, BPF_REG_1),
	BPF_ALU64_IMM(BPF_MUL, BPF_REG_0, 3),
	BPF_EXIT_INSN(),
	/* 12: sub2, the callback */
	FTK_CALL(BPF_FUNC_ktime_get_ns),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
};

struct walk {
	struct bpf_prog *prog;
	unsigned long *boundaries;
	struct code c;
};

static unsigned long walk_end(const struct walk *w)
{
	return w->c.ip + w->c.size;
}

/* Literals follow the code and are copied with it. */
static bool inside(const struct walk *w, unsigned long target)
{
	return target >= w->c.ip && target < walk_end(w) + sizeof(u64);
}

/* Decode an instruction and return the offset of the next one. Errors fail the case. */
static u32 next_insn(struct kunit *test, const struct code *c, u32 off,
		     struct fastterm_insn *insn)
{
	int len = fastterm_arch_decode(c->bytes, off, c->size, c->ip, insn);

	KUNIT_ASSERT_GT_MSG(test, len, 0, "at %u of %u: %*ph", off, c->size,
			    min(c->size - off, 16), c->bytes + off);
	KUNIT_ASSERT_EQ(test, len, insn->len);
	KUNIT_ASSERT_LE(test, off + len, c->size);
	return off + len;
}

/* The target of a jump within the program is an instruction boundary. */
static void check_jumps(struct kunit *test, const struct walk *w)
{
	struct fastterm_insn insn;
	u32 off;

	for (off = 0; off < w->c.size; off += insn.len) {
		next_insn(test, &w->c, off, &insn);
		if (insn.kind == FASTTERM_INSN_BRANCH)
			KUNIT_EXPECT_TRUE(test, inside(w, insn.target));
		if (insn.kind == FASTTERM_INSN_PLAIN)
			KUNIT_EXPECT_EQ(test, insn.target, 0);
		else if (insn.kind != FASTTERM_INSN_DATA && inside(w, insn.target))
			KUNIT_EXPECT_TRUE_MSG(test,
					      test_bit(insn.target - w->c.ip,
						       w->boundaries),
					      "at %u to %lu", off,
					      insn.target - w->c.ip);
	}
}

/* The program's calls are found in their order; there may be other calls between them. */
static u32 check_calls(struct kunit *test, const struct walk *w)
{
	u32 i, off = 0, found = 0;

	for (i = 0; i < w->prog->len; i++) {
		const struct bpf_insn *call = &w->prog->insnsi[i];
		struct fastterm_insn insn = {};
		bool fixed;
		u64 addr;

		if (call->code != (BPF_JMP | BPF_CALL))
			continue;
		KUNIT_ASSERT_EQ(test, 0, bpf_jit_get_func_addr(w->prog, call, true,
							       &addr, &fixed));
		while (off < w->c.size && (insn.kind != FASTTERM_INSN_CALL ||
					   insn.target != addr))
			off = next_insn(test, &w->c, off, &insn);
		KUNIT_ASSERT_EQ_MSG(test, insn.target, addr, "call at %u", i);
		found++;
	}
	return found;
}

/*
 * Copy the code as if it ran @move bytes away, make instructions that refer to something outside
 * refer to the same thing, and decode the copy.
 */
static void check_move(struct kunit *test, const struct walk *w, long move)
{
	const struct code *from = &w->c;
	struct code to = *from;
	struct fastterm_insn insn, now;
	bool second = false;
	u32 off;

	to.bytes = kunit_kmalloc(test, to.size + THUNK_SPACE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, to.bytes);
	memcpy(to.bytes, from->bytes, to.size);
	to.room = to.size + THUNK_SPACE;
	to.ip += move;

	for (off = 0; off < from->size; off += insn.len) {
		next_insn(test, from, off, &insn);
		if (insn.kind == FASTTERM_INSN_PLAIN || inside(w, insn.target))
			continue;
		KUNIT_EXPECT_EQ_MSG(test, refer(&to, off, insn), 0, "at %u", off);
		KUNIT_ASSERT_LE(test, to.end, to.size + THUNK_SPACE);
	}
	for (off = 0; off < from->size; off += insn.len) {
		bool leaves;

		next_insn(test, from, off, &insn);
		leaves = insn.kind != FASTTERM_INSN_PLAIN && !inside(w, insn.target);
		if (inside(w, insn.target))
			insn.target += move;

		KUNIT_EXPECT_EQ(test, referred(&to, off, &now), insn.len);
		KUNIT_EXPECT_EQ_MSG(test, now.kind, insn.kind, "at %u", off);
		KUNIT_EXPECT_EQ_MSG(test, now.target, insn.target, "at %u", off);
		if (!leaves && !second)
			KUNIT_EXPECT_MEMEQ(test, to.bytes + off,
					   from->bytes + off, insn.len);
		second = leaves && insn.split;
	}
}

/* Run all of these checks on one function. Returns its number of calls. */
static u32 check_function(struct kunit *test, struct bpf_prog *prog)
{
	struct walk w = {
		.prog = prog,
		.c = {
			.bytes = (u8 *)prog->bpf_func,
			.size = prog->jited_len,
			.end = prog->jited_len,
			.ip = (unsigned long)prog->bpf_func,
		},
	};
	struct fastterm_insn insn;
	u32 off = 0, found;

	w.boundaries = kunit_kcalloc(test, BITS_TO_LONGS(w.c.size),
				     sizeof(*w.boundaries), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w.boundaries);
	while (off < w.c.size) {
		__set_bit(off, w.boundaries);
		off = next_insn(test, &w.c, off, &insn);
	}
	KUNIT_EXPECT_EQ(test, off, w.c.size);

	check_jumps(test, &w);
	found = check_calls(test, &w);
	check_move(test, &w, 0);
	check_move(test, &w, 0x10000);
	check_move(test, &w, -0x10000);
	check_move(test, &w, 0x1004);
	check_move(test, &w, -0x3ffc);
	return found;
}

static void check_program(struct kunit *test, struct bpf_prog *prog,
			  u32 nr_calls)
{
	u32 i, found = 0;

	KUNIT_ASSERT_TRUE(test, prog->jited);
	if (!prog->aux->func_cnt)
		found = check_function(test, prog);
	for (i = 0; i < prog->aux->func_cnt; i++)
		found += check_function(test, prog->aux->func[i]);
	KUNIT_EXPECT_EQ(test, found, nr_calls);
}

static void encode_prog_calls(struct kunit *test)
{
	check_program(test, ftk_load(test, calls, ARRAY_SIZE(calls), NULL), 4);
}

static void encode_prog_functions(struct kunit *test)
{
	check_program(test, ftk_load(test, functions, ARRAY_SIZE(functions), NULL),
		      3);
}

static void encode_prog_tail_call(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, sizeof(u32),
				   sizeof(u32), 2, 0);
	struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
		/* a tail call whose slot is known, so that it is patched */
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_tail_call),
		/* a tail call whose slot is not known */
		FTK_CALL(BPF_FUNC_get_prandom_u32),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
	int fd;

	check_program(test, prog, 1);
	fd = ftk_prog_fd(test, ftk_load(test, calls, ARRAY_SIZE(calls), NULL));
	ftk_map_update(test, &m, &(u32){0}, &fd);
	check_program(test, prog, 1);
}

/* A program that is so long that jumps over it need their long forms. */
static void encode_prog_long(struct kunit *test)
{
	const u32 body = 2000, len = body + 7;
	struct bpf_insn *insns;
	u32 i = 0;

	insns = kunit_kcalloc(test, len, sizeof(*insns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, insns);
	insns[i++] = FTK_CALL(BPF_FUNC_get_prandom_u32);
	insns[i++] = BPF_JMP_IMM(BPF_JGT, BPF_REG_0, 100, body + 3);
	while (i < body + 2)
		insns[i++] = BPF_ALU64_IMM(BPF_XOR, BPF_REG_0, 0x12345678 + i);
	insns[i++] = BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 1, 1);
	insns[i++] = BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 5, 1);
	insns[i++] = BPF_EXIT_INSN();
	insns[i++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[i++] = BPF_EXIT_INSN();
	KUNIT_ASSERT_EQ(test, i, len);
	check_program(test, ftk_load(test, insns, len, NULL), 1);
}

/* From a real image, a thunk reaches every address at which a program can be. */
static void encode_thunk(struct kunit *test)
{
	struct bpf_prog *prog = ftk_load(test, calls, ARRAY_SIZE(calls), NULL);
	unsigned long ip = (unsigned long)prog->bpf_func;
	const unsigned long targets[] = {
		ip, ip + 0x40, ip + SZ_1M, (unsigned long)_printk,
		(unsigned long)schedule,
	};
	const int len = fastterm_arch_thunk(NULL, 0, 0, 0);
	const u32 off = 8;
	u8 bytes[64], before[64];
	u32 i;

	KUNIT_ASSERT_GT(test, len, 0);
	KUNIT_ASSERT_LE(test, off + len + 8, sizeof(bytes));
	memset(before, 0x5a, sizeof(before));
	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		const struct code c = {
			.bytes = bytes,
			.end = off + len,
			.ip = ip,
		};

		memset(bytes, 0x5a, sizeof(bytes));
		KUNIT_EXPECT_EQ(test, len, fastterm_thunk(bytes, off, sizeof(bytes), ip,
							  targets[i]));
		KUNIT_EXPECT_EQ(test, thunk_target(&c, off), targets[i]);
		KUNIT_EXPECT_MEMEQ(test, bytes, before, off);
		KUNIT_EXPECT_MEMEQ(test, bytes + c.end, before,
				   sizeof(bytes) - c.end);
	}
}

static struct kunit_case encode_cases[] = {
	KUNIT_CASE(encode_decode_vectors),
	KUNIT_CASE(encode_incomplete),
	KUNIT_CASE(encode_beginning),
	KUNIT_CASE(encode_encode_vectors),
	KUNIT_CASE(encode_thunk_vectors),
	KUNIT_CASE(encode_round_trip),
	KUNIT_CASE(encode_prog_calls),
	KUNIT_CASE(encode_prog_functions),
	KUNIT_CASE(encode_prog_tail_call),
	KUNIT_CASE(encode_prog_long),
	KUNIT_CASE(encode_thunk),
	{}
};

static struct kunit_suite encode_suite = {
	.name = "fastterm_encode",
	.test_cases = encode_cases,
};

kunit_test_suite(encode_suite);
