// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads every program of every object in /objects, with and without stub
 * images, and records what that costs.
 *
 * libbpf prepares a program: relocations, maps, types. We step in where it asks
 * the kernel to load it (the linker's --wrap=syscall): the same request, with
 * the same maps and types, is made again and again under either mode, and only
 * the kernel's part of it is measured.
 *
 * And what it costs that the kernel asks after each callback whether to stop.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "callbacks.h"
#include "guest.h"
#include "loader.h"

#define CALLBACKS "/callbacks.bpf.o"

/* Loads in each mode; the fastest counts. */
#define ROUNDS 2
/* A program that takes longer than this is loaded once in each mode. */
#define SLOW_NS 300000000ULL
/*
 * Bytes shown around those that differ: as long as the longest sequence of
 * instructions that makes one operand. Pieces begin at multiples of it.
 */
#define AROUND 32

enum mode { OFF, NEEDED, NR_MODES };

static const char *const modes[] = { [OFF] = "off", [NEEDED] = "needed" };

/* A program's machine code, as it is after one load. */
struct code {
	__u32 nr_funcs, len;
	__u64 *addrs;
	__u32 *lens;
	__u8 *bytes;
};

/* The object that is being loaded, and which of its programs had their turn. */
static struct bpf_object *object;
static const char *object_name;
static bool *done;
static bool has_modes;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* What is freed in the background must not be freed while we measure. */
static void settle(void)
{
	guest_wait(50 * NS_PER_MS);
}

static void record_program(const struct bpf_program *prog)
{
	record_begin("program");
	record_string("object", object_name);
	record_string("program", bpf_program__name(prog));
	record_string("section", bpf_program__section_name(prog));
	record_string("type", libbpf_bpf_prog_type_str(bpf_program__type(prog)) ?: "");
}

static void record_failure(const struct bpf_program *prog, const char *error)
{
	record_program(prog);
	record_string("error", error);
	record_end();
}

static int load(union bpf_attr *attr, size_t size, enum mode mode, __u64 *ns)
{
	__u64 begin;
	long fd;

	if (has_modes && !fastterm_choose(modes[mode]))
		return -1;
	begin = guest_now();
	fd = __real_syscall(__NR_bpf, BPF_PROG_LOAD, attr, size);
	*ns = guest_now() - begin;
	return fd;
}

/* How much of the verifier's log is looked at: its end. */
#define LOG_SIZE (1 << 20)
/* With a log, a load takes many times as long. Where it takes longer than this without, no log is made. */
#define LOG_NS 20000000ULL

/* What is to be the same with and without stub images, but for the machine code. */
struct seen {
	char log[LOG_SIZE];
	__u32 log_size, xlated_size;
	struct bpf_insn xlated[1 << 16];
};

/* Addresses in the kernel begin here, or above: those of the program's own structures change from load to load. */
#define KERNEL_ADDRESS 0xff00000000000000ULL

static __u64 immediate(const struct bpf_insn *insn)
{
	return (__u32)insn[0].imm | (__u64)insn[1].imm << 32;
}

static bool same_xlated(const struct seen *a, const struct seen *b)
{
	__u32 i, nr = a->xlated_size / sizeof(*a->xlated);

	if (a->xlated_size != b->xlated_size)
		return false;
	for (i = 0; i < nr; i++) {
		const struct bpf_insn *x = &a->xlated[i], *y = &b->xlated[i];

		if (!memcmp(x, y, sizeof(*x)))
			continue;
		if (x->code != (BPF_LD | BPF_IMM | BPF_DW) || y->code != x->code || i + 1 == nr ||
		    immediate(x) < KERNEL_ADDRESS || immediate(y) < KERNEL_ADDRESS)
			return false;
		i++;
	}
	return true;
}

static void see(union bpf_attr *attr, size_t size, enum mode mode, struct seen *seen)
{
	struct bpf_prog_info info = {};
	__u32 info_size = sizeof(info);
	union bpf_attr logged = {};
	__u64 ns;
	int fd;

	memset(seen, 0, sizeof(*seen));
	memcpy(&logged, attr, size);
	logged.log_level = 2;
	logged.log_buf = (uintptr_t)seen->log;
	logged.log_size = sizeof(seen->log);
	fd = load(&logged, sizeof(logged), mode, &ns);
	seen->log_size = logged.log_true_size;
	info.xlated_prog_insns = (uintptr_t)seen->xlated;
	info.xlated_prog_len = sizeof(seen->xlated);
	if (fd >= 0 && !bpf_prog_get_info_by_fd(fd, &info, &info_size))
		seen->xlated_size = info.xlated_prog_len;
	close(fd);
}

/*
 * Does the verifier say the same, and make the same of the program, with stub images and
 * without? Who asks for a log gets one of the program alone.
 */
static void record_seen(union bpf_attr *attr, size_t size)
{
	static struct seen off, needed;

	see(attr, size, OFF, &off);
	see(attr, size, NEEDED, &needed);
	record_number("same_log", off.log_size && off.log_size == needed.log_size &&
				  !memcmp(off.log, needed.log, sizeof(off.log)));
	/* Where the log is longer than its place, a load fails with it: that is the same, too. */
	record_number("same_xlated", same_xlated(&off, &needed));
}

static struct code code_of(int fd)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	struct code code = {};

	if (bpf_prog_get_info_by_fd(fd, &info, &size))
		return code;
	code.nr_funcs = info.nr_jited_ksyms;
	code.len = info.jited_prog_len;
	code.addrs = calloc(code.nr_funcs, sizeof(*code.addrs));
	code.lens = calloc(code.nr_funcs, sizeof(*code.lens));
	code.bytes = calloc(code.len, 1);

	memset(&info, 0, sizeof(info));
	info.nr_jited_ksyms = code.nr_funcs;
	info.jited_ksyms = (uintptr_t)code.addrs;
	info.nr_jited_func_lens = code.nr_funcs;
	info.jited_func_lens = (uintptr_t)code.lens;
	info.jited_prog_len = code.len;
	info.jited_prog_insns = (uintptr_t)code.bytes;
	bpf_prog_get_info_by_fd(fd, &info, &size);
	return code;
}

static void free_code(struct code *code)
{
	free(code->addrs);
	free(code->lens);
	free(code->bytes);
}

/* Where @a and @b differ: [function, offset, bytes of a, bytes of b]. */
static void record_differences(const struct code *a, const struct code *b)
{
	__u32 func, base = 0, i, begin, end;

	record_open("differences");
	for (func = 0; func < a->nr_funcs; base += a->lens[func++]) {
		const __u8 *in_a = a->bytes + base, *in_b = b->bytes + base;
		__u32 len = a->lens[func];

		for (i = 0; i < len; i++) {
			if (in_a[i] == in_b[i])
				continue;
			begin = i < AROUND ? 0 : (i - AROUND) & ~(AROUND - 1);
			/* As far as the next piece would not overlap this one. */
			for (end = i + 1; i < len && i < end + 3 * AROUND; i++)
				if (in_a[i] != in_b[i])
					end = i + 1;
			end = end + AROUND > len ? len : end + AROUND;
			record_open(NULL);
			record_number(NULL, func);
			record_number(NULL, begin);
			record_hex(NULL, in_a + begin, end - begin);
			record_hex(NULL, in_b + begin, end - begin);
			record_close();
			i = end - 1;
		}
	}
	record_close();
}

static void record_functions(const char *key, const struct code *code)
{
	__u32 i;

	record_open(key);
	for (i = 0; i < code->nr_funcs; i++) {
		record_open(NULL);
		record_number(NULL, code->addrs[i]);
		record_number(NULL, code->lens[i]);
		record_close();
	}
	record_close();
}

static bool same_layout(const struct code *a, const struct code *b)
{
	return a->len == b->len && a->nr_funcs == b->nr_funcs &&
	       !memcmp(a->lens, b->lens, a->nr_funcs * sizeof(*a->lens));
}

/* In how many bytes they differ; all, if functions are not of the same length. */
static __u32 nr_differing(const struct code *a, const struct code *b)
{
	__u32 i, nr = 0;

	if (!same_layout(a, b))
		return UINT32_MAX;
	for (i = 0; i < a->len; i++)
		nr += a->bytes[i] != b->bytes[i];
	return nr;
}

/*
 * Some JITs write a pointer in as many instructions as its value takes: two
 * loads then differ in length, or where padding makes up for that, in most of
 * what is behind it. Load without images at other addresses, and keep the code
 * that is most like that of the load with images.
 */
static void match_layout(union bpf_attr *attr, size_t size, struct code code[NR_MODES])
{
	__u32 least = nr_differing(&code[OFF], &code[NEEDED]), now;
	struct code other;
	int fds[16], nr = 0;
	__u64 ns;

	while (nr < 16 && (least == UINT32_MAX || (nr < 6 && least > code[NEEDED].len / 8))) {
		fds[nr] = load(attr, size, OFF, &ns);
		if (fds[nr] < 0)
			break;
		other = code_of(fds[nr++]);
		now = nr_differing(&other, &code[NEEDED]);
		if (now < least) {
			least = now;
			free_code(&code[OFF]);
			code[OFF] = other;
		} else {
			free_code(&other);
		}
	}
	while (nr)
		close(fds[--nr]);
	settle();
}

static void record_code(int fd, const struct code code[NR_MODES])
{
	struct bpf_prog_info info = {};
	struct fastterm_report report;
	__u32 size = sizeof(info);

	bpf_prog_get_info_by_fd(fd, &info, &size);
	/* Some JITs make more of it in one load than in the next. */
	record_number("bytes", has_modes ? code[NEEDED].len : info.jited_prog_len);
	record_number("insns", info.verified_insns);
	if (!has_modes)
		return;
	if (fastterm_report(info.id, &report)) {
		record_string("long", report.why_long);
		record_string("no_image", report.no_image);
		record_number("image", report.image_bytes);
		record_string("refused", report.refused);
		record_number("stub_insns", report.stub_insns);
		record_number("again", report.again);
		record_number("alone", report.alone);
		record_number("bound", report.bound);
		record_number("bpf_bound", report.bpf_bound);
		record_number("calls", report.calls);
		record_string("kept", report.kept);
		record_string("loop", report.loop);
	}
	record_functions("functions_off", &code[OFF]);
	record_functions("functions_needed", &code[NEEDED]);
	if (same_layout(&code[OFF], &code[NEEDED]))
		record_differences(&code[OFF], &code[NEEDED]);
}

/* Load @prog in every mode; returns its file descriptor, in the mode that comes last. */
static int measure(const struct bpf_program *prog, union bpf_attr *attr, size_t size)
{
	int mode, first = OFF, last = has_modes ? NEEDED : OFF, round, rounds = ROUNDS, fd;
	struct code code[NR_MODES] = {};
	__u64 best[NR_MODES], ns;

	/*
	 * This load says whether it loads at all, and warms caches up; it only
	 * counts where that makes no difference.
	 */
	fd = load(attr, size, OFF, &ns);
	if (fd < 0) {
		record_failure(prog, strerror(errno));
		return fd;
	}
	memset(best, 0xff, sizeof(best));
	if (ns > SLOW_NS) {
		best[OFF] = ns;
		code[OFF] = code_of(fd);
		first = NEEDED;
		rounds = 1;
	}
	for (round = 0; round < rounds; round++) {
		for (mode = first; mode <= last; mode++) {
			close(fd);
			settle();
			fd = load(attr, size, mode, &ns);
			if (fd < 0) {
				record_failure(prog, strerror(errno));
				return fd;
			}
			if (ns < best[mode])
				best[mode] = ns;
			if (!round)
				code[mode] = code_of(fd);
		}
	}
	/* Where loads are slow, only if it must be. */
	if (has_modes && (first == OFF || !same_layout(&code[OFF], &code[NEEDED])))
		match_layout(attr, size, code);

	record_program(prog);
	for (mode = OFF; mode <= last; mode++)
		record_number(has_modes ? modes[mode] : "without", best[mode]);
	if (has_modes && best[OFF] < LOG_NS)
		record_seen(attr, size);
	record_code(fd, code);
	record_end();
	for (mode = OFF; mode < NR_MODES; mode++)
		free_code(&code[mode]);
	return fd;
}

/*
 * libbpf's door to the kernel. What is no program of the object is passed on:
 * that is how libbpf finds out what the kernel can do.
 */
long __wrap_syscall(long number, ...)
{
	struct bpf_program *prog;
	union bpf_attr *attr;
	long args[6];
	va_list list;
	int i, fd;

	va_start(list, number);
	for (i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);

	attr = (union bpf_attr *)args[1];
	i = 0;
	if (number == __NR_bpf && args[0] == BPF_PROG_LOAD && object) {
		bpf_object__for_each_program(prog, object) {
			if ((uintptr_t)bpf_program__insns(prog) != attr->insns) {
				i++;
				continue;
			}
			done[i] = true;
			fd = measure(prog, attr, args[2]);
			/* libbpf would give up the whole object. */
			return fd < 0 ? dup(STDOUT_FILENO) : fd;
		}
	}
	return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

/* Things that a program's own user space would have set. */
static void prepare(void)
{
	struct bpf_program *prog;
	int i = 0;

	loader_prepare_maps(object);
	bpf_object__for_each_program(prog, object)
		bpf_program__set_autoload(prog, !done[i++]);
}

/* The first program that did not have its turn, or NULL. */
static struct bpf_program *next_program(int *index)
{
	struct bpf_program *prog;

	*index = 0;
	bpf_object__for_each_program(prog, object) {
		if (!done[*index])
			return prog;
		(*index)++;
	}
	return NULL;
}

/*
 * Load an object. Where libbpf gives up before a program has its turn, that
 * program has failed, and the object is loaded again for those behind it.
 */
static void load_object(const char *path)
{
	char last[256] = "";
	const char *line;
	struct bpf_program *prog;
	bool hopeless = false;
	int i, nr = 0;

	object_name = loader_name(path);
	settle();
	while (!hopeless) {
		loader_forget();
		object = bpf_object__open_file(path, NULL);
		if (!object) {
			record_begin("object");
			record_string("object", object_name);
			line = loader_complaint_line();
			record_string("error", *line ? line : strerror(errno));
			record_end();
			return;
		}
		if (!done) {
			bpf_object__for_each_program(prog, object)
				nr++;
			done = calloc(nr + 1, sizeof(*done));
		}
		prepare();
		if (!next_program(&i))
			break;
		loader_forget();
		bpf_object__load(object);
		/* The same complaint twice is not about a program. */
		line = loader_complaint_line();
		hopeless = !strcmp(last, line);
		while ((prog = next_program(&i))) {
			record_failure(prog, *line ? line : "not loaded with its object");
			done[i] = true;
			if (!hopeless)
				break;
		}
		snprintf(last, sizeof(last), "%s", line);
		bpf_object__close(object);
		object = NULL;
	}
}

static void record_death(const char *path)
{
	record_begin("object");
	record_string("object", loader_name(path));
	record_string("error", "the loader died");
	record_end();
}

/*
 * A program that stays, as there are some on every machine: without it each
 * load would pay for the first page of code memory, and each unload free it.
 */
static void load_neighbour(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	if (bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "neighbour", "GPL", insns, 2, NULL) < 0)
		perror("neighbour");
}

int main(void)
{
	int objects;

	guest_begin();
	loader_begin();
	load_neighbour();
	callbacks_measure(CALLBACKS);
	has_modes = fastterm_choose("needed");
	objects = loader_each_object(load_object, record_death);
	record_begin("end");
	record_number("objects", objects);
	record_end();
	guest_end();
}
