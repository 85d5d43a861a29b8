# SPDX-License-Identifier: GPL-2.0-only
"""The cover letter of the series, in the form in which git send-email takes it."""

import re
import textwrap

import host
import matrix

NAME = '0000-cover-letter.txt'

SUBJECT = 'bpf: Fast-path termination of programs'

PROBLEM = '''The verifier proves that a BPF program ends. It does not prove that it ends soon: nested bpf_loop(),
bpf_for_each_map_elem(), open-coded iterators, may_goto, tail calls, and programs attached to what a program calls, hold a
CPU for minutes or for years. Detaching such a program does not stop it, and neither does SIGKILL.'''

DESIGN = '''A program that the verifier has accepted contains, on every path to its exit, the code that releases what it holds.
So nothing is unwound, and nothing is logged at run time. When a program is loaded that can run for long, a stub image of it
is made: a copy of its machine code with the same layout, in which everything that can be skipped is skipped. To terminate
an activation, an interrupt on its CPU moves the addresses at which it goes on, the interrupted one and the saved return
addresses, to the same offsets in the stub image. The program leaves by its own exit.'''

PICTURE = '''        program P                      stub image S
      +------------------+           +------------------+
      | call helper      |           | r0 = -ECANCELED  |
  pc->| ...              |  ------>  | ...              |<- pc
      | if (i < n) goto  |           | (falls through)  |
      | call release     |           | call release     |
      | exit             |           | exit             |
      +------------------+           +------------------+'''

GUARANTEES = (
    'The stub image does nothing that the verifier has not explored: it is explored together with the program, at load. If it '
    'is not accepted, the program has none; no program is rejected for it (fastterm_check).',
    'A program is terminated at every boundary of its instructions, with everything released (fastterm_boundary, which stops '
    'at each of them on each architecture).',
    'Programs that are not terminated pay nothing in their own code, which is the same byte for byte (make bench).',
    'With CONFIG_BPF_FASTTERM=n, the machine code of every file that is changed stays as it is (make test).',
)

REFUSED = (
    'Unwinding with tables of resources (a second proof beside that of the verifier), and counters in loops (a cost to '
    'programs that are never stopped).',
    'Programs that run with interrupts off where there is no NMI: nothing reaches them.',
)


def text(patches, version, author, figures):
    """The letter. @patches: the text of each; @figures: lines of the last make bench, if there are any."""
    subjects = [_subject(patch) for patch in patches]
    paragraphs = [_fill(PROBLEM), _fill(DESIGN), PICTURE, 'What is guaranteed, and what shows it:',
                  *(_fill(f'- {line}', '  ') for line in GUARANTEES),
                  'What was not done, and why:', *(_fill(f'- {line}', '  ') for line in REFUSED)]
    paragraphs += ['What the tests have found (make test):', '\n'.join(matrix.short())]
    if figures:
        paragraphs += ['Figures (make bench):', '\n'.join(figures)]
    paragraphs += [_fill(f'The patches are made of Linux {version}, and apply to 6.12.y. The last one has an entry for '
                         'MAINTAINERS without an M: line, which whoever sends this adds.'),
                   '\n'.join(f'  [{n}/{len(subjects)}] {subject}' for n, subject in enumerate(subjects, 1)),
                   _statistics(patches)]
    head = f'From: {author[0]} <{author[1]}>\nSubject: [PATCH 0/{len(patches)}] {SUBJECT}\n\n'
    return head + '\n\n'.join(paragraphs) + '\n'


def figures():
    """What the last make bench said, without its details."""
    return [line for path in sorted(host.OUT.glob('bench-*/summary.txt'))
            for line in path.read_text(encoding='utf-8').splitlines()
            if re.match(r'\w+, Linux|  (text|load time|verified|code of P|images|refused|watchdog)', line)]


def _fill(paragraph, indent=''):
    return textwrap.fill(' '.join(paragraph.split()), 72, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)


def _subject(patch):
    found = re.search(r'^Subject: \[PATCH[^\]]*\] (.*(?:\n .*)*)', patch, re.M)
    return ' '.join(found[1].split())


def _statistics(patches):
    """The last line of each patch's statistics, added up."""
    total = [0, 0, 0]
    for patch in patches:
        found = re.search(r'^ (\d+) files? changed(?:, (\d+) insertions?\(\+\))?(?:, (\d+) deletions?\(-\))?', patch, re.M)
        total = [a + int(b or 0) for a, b in zip(total, found.groups())] if found else total
    return ' {} files changed, {} insertions(+), {} deletions(-)'.format(*total)
