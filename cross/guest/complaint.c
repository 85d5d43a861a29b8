// SPDX-License-Identifier: GPL-2.0-only
#include "complaint.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char text[1 << 16], line[256];
static size_t used;

static int complain(enum libbpf_print_level level, const char *format, va_list args)
{
	int len;

	if (level != LIBBPF_WARN || used >= sizeof(text) - 1)
		return 0;
	len = vsnprintf(text + used, sizeof(text) - used, format, args);
	if (len > 0)
		used += len;
	return 0;
}

void complaint_begin(void)
{
	libbpf_set_print(complain);
}

void complaint_forget(void)
{
	*text = 0;
	used = 0;
}

const char *complaint_text(void)
{
	return text;
}

const char *complaint_line(void)
{
	size_t len = strcspn(text, "\n");

	if (len >= sizeof(line))
		len = sizeof(line) - 1;
	memcpy(line, text, len);
	line[len] = 0;
	return line;
}
