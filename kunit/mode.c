// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sysctl kernel.bpf_fastterm, read and written through its file as users do
 */

#include <linux/string.h>

#include <kunit/test.h>

#include "../mode.h"
#include "file.h"
#include "mode.h"

static int mode_before;

/**
 * ftk_mode_init() - begin a case that may change the mode
 * @test: the test case
 *
 * Return: 0.
 */
int ftk_mode_init(struct kunit *test)
{
	mode_before = fastterm_mode;
	return 0;
}

/**
 * ftk_mode_exit() - restore the mode that ftk_mode_init() has saved
 * @test: the test case
 */
void ftk_mode_exit(struct kunit *test)
{
	fastterm_mode = mode_before;
}

static void expect_mode(struct kunit *test, struct file *file, int mode, const char *text)
{
	char read[16];

	KUNIT_EXPECT_EQ(test, fastterm_mode, mode);
	KUNIT_EXPECT_EQ(test, ftk_read(test, file, NULL, read, sizeof(read)), strlen(text));
	KUNIT_EXPECT_STREQ(test, read, text);
}

static void mode_values(struct kunit *test)
{
	struct file *file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm");

	/* By default, programs that can run for long get an image. */
	expect_mode(test, file, FASTTERM_MODE_NEEDED, "needed\n");
	KUNIT_EXPECT_EQ(test, ftk_write(test, file, "off\n"), 4);
	expect_mode(test, file, FASTTERM_MODE_OFF, "off\n");
	KUNIT_EXPECT_EQ(test, ftk_write(test, file, "all"), 3);
	expect_mode(test, file, FASTTERM_MODE_ALL, "all\n");
	KUNIT_EXPECT_EQ(test, ftk_write(test, file, "required\n"), 9);
	expect_mode(test, file, FASTTERM_MODE_REQUIRED, "required\n");
	KUNIT_EXPECT_EQ(test, ftk_write(test, file, "needed\n"), 7);
	expect_mode(test, file, FASTTERM_MODE_NEEDED, "needed\n");
}

/* Writing an invalid value fails and changes nothing. */
static void mode_bad(struct kunit *test)
{
	static const char *const bad[] = { "\n", "1", "of", "offs", "ALL", "all all", "needed!" };
	struct file *file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm");
	int i;

	KUNIT_ASSERT_EQ(test, ftk_write(test, file, "all"), 3);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, ftk_write(test, file, bad[i]), -EINVAL, "%s", bad[i]);
		expect_mode(test, file, FASTTERM_MODE_ALL, "all\n");
	}
}

static struct kunit_case mode_cases[] = {
	KUNIT_CASE(mode_values),
	KUNIT_CASE(mode_bad),
	{}
};

static struct kunit_suite mode_suite = {
	.name = "fastterm_mode",
	.init = ftk_mode_init,
	.exit = ftk_mode_exit,
	.test_cases = mode_cases,
};

kunit_test_suite(mode_suite);
