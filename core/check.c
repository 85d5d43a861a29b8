// SPDX-License-Identifier: GPL-2.0-only
/*
 * The product check: what of it needs none of the verifier's own functions. The rest is in
 * check.h.
 */
#include <linux/bpf_verifier.h>
#include <linux/fastterm.h>
#include <linux/string.h>

#include "decision.h"
#include "verdict.h"

/**
 * fastterm_log() - keep what the verifier says of a stub image from its user's log
 * @log: the verifier's log, with the text in @log->kbuf
 *
 * The last line is kept, which may come in pieces: before it returns an error, the verifier
 * says why.
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
 * fastterm_assumption() - what the check of the stub image assumes of an instruction
 * @d: what was decided on it
 * @calls_back: it calls a function that runs callbacks, whose result is any
 *
 * Context: any.
 * Return: 0 if the instruction is no site, or is kept; otherwise a number that is the same
 * for what the stub image does in the same way.
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
