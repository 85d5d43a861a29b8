# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel must not say while tests run.

A test that provokes a splat on purpose announces it: a line `# expect splat: REGEX` before and `# expect splat: end`
after. Between the two, splats whose first line matches REGEX are asked for, and at least one must come.

A test that has looked into what the kernel complained of, and answers for it, says `# explained splat: REGEX` afterwards:
the last splat whose first line matches is none then. There must be one.
"""

import re

# The first line of each kind of report, in the words of the code that prints it.
FIRST_LINES = re.compile('|'.join((
    r'WARNING: ',                               # WARN(), lockdep, RCU, UBSAN's older form
    r'\bBUG: ',                                 # BUG(), KASAN, soft lockup, sleeping function, scheduling while atomic
    r'\bBUG [\w.:-]+ \(',                        # slab
    r'------------\[ cut here \]------------',  # WARN() and BUG()
    r'Kernel panic - not syncing',
    r'\bOops\b',
    r'Internal error: ',                        # arm64
    r'Unable to handle kernel ',                # arm64, riscv
    r'general protection fault',                # x86
    r'invalid opcode: ',
    r'UBSAN: ',
    r'KFENCE: ',
    r'page allocation failure',
    r'irq \d+: nobody cared',
    r'unchecked MSR access error',
    r'kmemleak: [1-9]\d* new suspected',
    r'rcu: INFO: rcu_\w+ (?:self-)?detected',
    r'INFO: rcu_\w+ (?:self-)?detected',
    r'INFO: task .* blocked for more than',
    r'INFO: trying to register non-static key',
    r'\bwatchdog: ',
    r'possible recursive locking detected',
    r'suspicious RCU usage',
    r'bad: scheduling from the idle thread',
    r'refcount_t: ',
    r'list_(?:add|del) corruption',
    r'stack-protector: ',
    r'Insufficient stack space|stack guard page was hit',
    r'CFI failure at ',
    r'unhandled signal|Attempted to kill init',
    r'Initramfs unpacking failed',              # a guest without some of its files
)))

# Lines that begin alike and are no report.
HARMLESS = re.compile(r'watchdog: (?:Delayed init of|Hard watchdog permanently|NMI not fully|Disabling|Enabling|CPU\d+ .*disabled)|'
                      r'NMI watchdog: (?:Perf|Enabled)|rcu: INFO: rcu_\w+ .*(?:timeout|Max phase)|'
                      r'WARNING: See https://kernel.org/doc/')

EXPECT = re.compile(r'# expect splat: (.*?)\s*$')
EXPLAINED = re.compile(r'# explained splat: (.*?)\s*$')


class Splats:
    """What a console has of them that no test asked for."""

    def __init__(self):
        self._found, self._number = [], 0
        self._wanted, self._came = None, False      # what is asked for, and whether it has come

    def add(self, line):
        """The next line of the console."""
        self._number += 1
        expect, explained = EXPECT.search(line), EXPLAINED.search(line)
        if explained:
            matching = [splat for splat in self._found if re.search(explained[1], splat[1])]
            if matching:
                self._found.remove(matching[-1])
            else:
                self._found.append((self._number, f'explained splat did not come: {explained[1]}'))
        elif expect:
            self._found = self.found()
            self._wanted, self._came = (None if expect[1] == 'end' else re.compile(expect[1])), False
        elif FIRST_LINES.search(line) and not HARMLESS.search(line):
            asked = self._wanted and self._wanted.search(line)
            self._came = self._came or bool(asked)
            # The rule that WARN() and BUG() draw before their first line says nothing by itself.
            if not asked and not (self._wanted and 'cut here' in line):
                self._found.append((self._number, line.strip()))

    def found(self):
        """[(line number, text)] of all until now; numbers begin with 1.

        A splat that was asked for and has not come is reported at the line that closes the request, or at the last one.
        """
        if not self._wanted or self._came:
            return list(self._found)
        return [*self._found, (self._number, f'expected splat did not come: {self._wanted.pattern}')]
