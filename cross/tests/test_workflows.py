# SPDX-License-Identifier: GPL-2.0-only
"""What CI systems are told."""

import re
import subprocess
import unittest

import main
import targets
import workflows

try:
    import yaml
except ImportError:
    yaml = None

COMMANDS = [command for command, *_ in main.HELP]


class Workflows(unittest.TestCase):
    def test_the_files_are_what_the_lists_give(self):
        for name, text in workflows.FILES.items():
            self.assertEqual((workflows.FOLDER / name).read_text(encoding='utf-8'), text(),
                             f'cross/ci/{name} is old: python3 -B cross/workflows.py')
        self.assertEqual({path.name for path in workflows.FOLDER.iterdir()}, set(workflows.FILES))

    def made(self, line, **values):
        """Whether @line is a command of ours, with a target there is, once what the CI system puts in is in."""
        for name, value in values.items():
            line = re.sub(rf'\$\{{\{{ matrix\.{name} \}}\}}|\${name.upper()}\b', value, line)
        found = re.fullmatch(r'make (\S+)(?: ARCH=(\S+) VARIANT=(\S+))?', line)
        self.assertTrue(found and found[1] in COMMANDS, line)
        if found[2]:
            self.assertEqual([target.name for target in targets.select(found[2], found[3], None)], ['-'.join(found.groups()[1:])])

    @unittest.skipUnless(yaml, 'no python3-yaml')
    def test_github(self):
        jobs = yaml.safe_load(workflows.github())['jobs']
        kernels = jobs['test']['strategy']['matrix']['include']
        self.assertEqual([(kernel['arch'], kernel['variant']) for kernel in kernels], list(targets.TESTED))
        for job in jobs.values():
            steps = job['steps']
            self.assertTrue(all(('run' in step) != ('uses' in step) for step in steps))
            self.assertEqual(steps[0]['run'], workflows.FIRST)
            ours = [step['run'] for step in steps[1:] if 'run' in step]
            self.assertEqual(len(ours), 1)
            for kernel in kernels:
                self.made(ours[0], **kernel)
        # Also what has failed is shown.
        self.assertEqual(jobs['test']['steps'][-1]['if'], 'always()')
        self.assertFalse(jobs['test']['strategy']['fail-fast'])

    @unittest.skipUnless(yaml, 'no python3-yaml')
    def test_gitlab(self):
        whole = yaml.safe_load(workflows.gitlab())
        kernels = whole['test']['parallel']['matrix']
        self.assertEqual([(kernel['ARCH'], kernel['VARIANT']) for kernel in kernels], list(targets.TESTED))
        for kernel in kernels:
            self.made(*whole['test']['script'], arch=kernel['ARCH'], variant=kernel['VARIANT'])
        self.made(*whole['style']['script'])
        self.assertEqual(whole['test']['artifacts']['when'], 'always')
        self.assertEqual(whole['test']['artifacts']['reports']['junit'], 'out/junit/test.xml')

    def test_the_shell_takes_what_the_container_runs(self):
        text = workflows.containerfile()
        command = text.partition('\nRUN ')[2].partition('\nWORKDIR')[0]
        self.assertEqual(subprocess.run(['sh', '-n'], input=command, text=True, check=False).returncode, 0)
        for package in 'clang-19', 'coccinelle', 'git', 'make', 'python3':
            self.assertIn(f' {package}', command)
