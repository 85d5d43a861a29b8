# SPDX-License-Identifier: GPL-2.0-only
"""Golden cases of splat detection: console text in, verdict out."""

import unittest

from console import Console

# (what it is, console text, number of splats found)
GOLDEN = (
    ('an ordinary boot', 'Linux version 6.12.117\nwatchdog: Delayed init of the lockup detector\n'
     'rcu: INFO: rcu_preempt Max phase no-delay instances is 1000.\nreboot: Restarting system', 0),
    ('what a boot says of its processor', 'watchdog: Hard watchdog permanently disabled\n'
     'Speculative Return Stack Overflow: WARNING: See https://kernel.org/doc/html/latest/x.html for mitigation options.',
     0),
    ('results of tests that failed', '    # case: EXPECTATION FAILED at prog.c:1\n    not ok 1 case', 0),
    ('WARN', '------------[ cut here ]------------\nWARNING: CPU: 1 PID: 1 at kernel/bpf/core.c:1 f+0x1/0x2', 2),
    ('KASAN', 'BUG: KASAN: slab-use-after-free in f+0x1/0x2', 1),
    ('lockdep', 'WARNING: possible circular locking dependency detected', 1),
    ('RCU usage', 'WARNING: suspicious RCU usage', 1),
    ('sleeping where one must not', 'BUG: sleeping function called from invalid context at mm/x.c:1', 1),
    ('RCU stall', 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:', 1),
    ('RCU stall of the own CPU', 'rcu: INFO: rcu_sched self-detected stall on CPU', 1),
    ('soft lockup', 'watchdog: BUG: soft lockup - CPU#2 stuck for 26s! [kunit_try_catch:1]', 1),
    ('hung task', 'INFO: task kunit:12 blocked for more than 122 seconds.', 1),
    ('panic', 'Kernel panic - not syncing: Fatal exception', 1),
    ('x86 fault', 'Oops: general protection fault, probably for non-canonical address 0x1: 0000', 1),
    ('arm64 fault', 'Unable to handle kernel paging request at virtual address 0000000000000008', 1),
    ('arm64 BTI or PAC', 'Internal error: Oops - BTI: 0000000036000001 [#1] SMP', 1),
    ('kCFI', 'CFI failure at f+0x1/0x2 (target: g+0x0/0x4; expected type: 0x12345678)', 1),
    ('UBSAN', 'UBSAN: array-index-out-of-bounds in a.c:1:2', 1),
    ('refcount', 'refcount_t: underflow; use-after-free.', 1),
    ('slab', 'BUG kmalloc-64 (Not tainted): Right Redzone overwritten', 1),
    ('KFENCE', 'BUG: KFENCE: use-after-free read in f+0x1/0x2', 1),
    ('list', 'list_del corruption. prev->next should be ffff888000000001, but was 0', 1),
    ('stack protector', 'stack-protector: Kernel stack is corrupted in: f+0x1/0x2', 1),
    ('stack overflow', 'Insufficient stack space to handle exception!', 1),
    ('x86 invalid opcode', 'invalid opcode: 0000 [#1] PREEMPT SMP', 1),
    ('x86 MSR', 'unchecked MSR access error: RDMSR from 0x1 at rIP: 0x2 (f+0x1/0x2)', 1),
    ('no lockdep key', 'INFO: trying to register non-static key.', 1),
    ('recursive locking', 'WARNING: possible recursive locking detected', 1),
    ('the idle thread', 'bad: scheduling from the idle thread!', 1),
    ('no memory', 'kunit_try_catch: page allocation failure: order:0, mode:0x40cc0', 1),
    ('an interrupt of nobody', 'irq 11: nobody cared (try booting with the "irqpoll" option)', 1),
    ('riscv user space', 'init[1]: unhandled signal 11 code 0x1 at 0x0', 1),
    ('files that are missing', 'Initramfs unpacking failed: junk within compressed archive', 1),
    ('asked for, and came', '# expect splat: soft lockup\nwatchdog: BUG: soft lockup - CPU#2 stuck\n'
     '# expect splat: end', 0),
    ('WARN asked for, and came', '# expect splat: WARNING: .* core.c\n------------[ cut here ]------------\n'
     'WARNING: CPU: 1 at core.c:1\n# expect splat: end', 0),
    ('asked for, and did not come', '# expect splat: soft lockup\n# expect splat: end', 1),
    ('asked for without an end', '# expect splat: soft lockup\n', 1),
    ('another than was asked for', '# expect splat: soft lockup\nBUG: KASAN: x\nwatchdog: BUG: soft lockup\n'
     '# expect splat: end', 1),
    ('explained', 'kmemleak: 10 new suspected memory leaks\n# explained splat: kmemleak: 10 new suspected', 0),
    ('explained, and did not come', '# explained splat: kmemleak: 10 new suspected', 1),
    ('one of two explained', 'BUG: KASAN: x\nkmemleak: 1 new suspected memory leaks\n'
     '# explained splat: kmemleak: 1 new suspected', 1),
    ('explained once, and twice there', 'kmemleak: 1 new suspected memory leaks\n# explained splat: kmemleak\n'
     'kmemleak: 2 new suspected memory leaks', 1),
    ('after the request has closed', '# expect splat: KASAN\nBUG: KASAN: x\n# expect splat: end\nBUG: KASAN: x', 1),
)


class Splat(unittest.TestCase):
    def test_golden(self):
        for what, text, number in GOLDEN:
            with self.subTest(what):
                self.assertEqual(len(Console(text.splitlines()).splats), number)
