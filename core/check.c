// SPDX-License-Identifier: GPL-2.0-only
/*
 * The product check: the part that needs none of the verifier's static functions. The rest
 * is in check.h.
 */
#include <linux/bpf_verifier.h>
#include <linux/fastterm.h>
#include <linux/string.h>

#include "decision.h"
#include "verdict.h"

/**
 * fastterm_log() - keep the verifier's messages about a stub image out of its user's log
 * @log: the verifier's log, with the text in @log->kbuf
 *
 * The last line is stored, which may come in several parts: it says why the verifier
 * returns an error.
 *
 * Context: process context.
 * Return: true if the text was about a stub image.
 */
bool fastterm_log(const struct bpf_verifier_log *log)
{
	char *sentence = log->fastterm.sentence;
	size_t len;

	if (!sentence)
		return false;
	len = strlen(sentence);
	if (len && sentence[len - 1] == '\n')
		len = 0;
	strscpy(sentence + len, log->kbuf, FASTTERM_SENTENCE - len);
	return true;
}

/**
 * fastterm_assumption() - encode what the check of the stub image assumes about an instruction
 * @d: the decision on it
 * @calls_back: it calls a function that runs callbacks, for which any result is assumed
 *
 * Context: any.
 * Return: 0 if the instruction is not a site, or is kept; otherwise a number that is the
 * same for all decisions by which the stub image does the same.
 */
u8 fastterm_assumption(const struct fastterm_decision *d, bool calls_back)
{
	if (!d->kind || d->why)
		return 0;
	if (d->kind == FASTTERM_LOOP || calls_back)
		return 1;
	if (d->kind == FASTTERM_TAIL_CALL)
		return 2;
	if (d->fill & FASTTERM_FILL)
		return 8 + fastterm_fill_arg(d);
	return 16 + fastterm_result(d);
}
