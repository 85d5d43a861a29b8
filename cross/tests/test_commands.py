# SPDX-License-Identifier: GPL-2.0-only
"""What a user types wrongly, and machines that lack something: a clear error, exit status 1, no traceback."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import host
import machine
import main
import packages
import targets


def make(*args, **env):
    return subprocess.run(['make', '-s', '-C', str(host.CHECKOUT), *args], env=host.child_env(**env), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class Commands(unittest.TestCase):
    def refused(self, *args, says):
        done = make(*args)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(says, done.stdout)
        self.assertNotIn('Traceback', done.stdout)

    def test_unknown_values_name_the_valid_ones(self):
        self.refused('kunit', 'ARCH=vax', says=f'ARCH=vax: unknown; valid are {", ".join(targets.ARCHES)}, all')
        self.refused('kernel', 'VARIANT=fast', says='VARIANT=fast: unknown; valid are default, debug, hardened, all')
        self.refused('kunit', 'SUITE=nothing', says=f'SUITE=nothing: no such suite; valid are {", ".join(main.suites())}')
        for command in ('help', 'clean', 'setup', 'style'):
            self.refused(command, 'KDIR=/nowhere', says='KDIR=/nowhere: not a Linux kernel source tree')
        for command in ('setup', 'style', 'clean', 'check-hooks', 'bench'):
            self.refused(command, 'SUITE=nothing', says='SUITE=nothing: no such suite')
            self.refused(command, 'ARCH=vax', says='ARCH=vax: unknown')
        self.refused('kernel', 'KDIR=/proc', says='KDIR=/proc: not a Linux kernel source tree')
        self.refused('kunit', 'SUITE=fastterm_load.nothing', says='no such case; valid are load_straight_line, ')
        # By a command that does no harm should it not be refused.
        self.refused('help', 'CACHE=0', says='CACHE=0: unknown; valid is 1')
        self.refused('help', 'SITES=no', says='SITES=no: unknown; valid is 1')
        for command in ('kernel', 'KDIR=~nobody-of-that-name/x'), ('run', 'OBJ=~nobody-of-that-name/x.o'):
            self.refused(*command, says='=~nobody-of-that-name/x')
        self.refused('kernel', "ARCH=it's", says="ARCH=it's: unknown")

    def test_graft_needs_a_tree(self):
        self.refused('graft', says='make graft needs KDIR=')
        self.refused('ungraft', says='make ungraft needs KDIR=')

    def test_what_ends_a_run_ends_what_it_runs(self):
        """Ctrl-C, a request, and a terminal that goes: the exit status says so, and no child is left."""
        code = ('import signal, sys; import host, main\n'
                'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
                'signal.signal(signal.SIGHUP, signal.SIG_DFL)\n'
                'main.cmd_help = lambda args: host.run(["sh", "-c", "echo $$; exec sleep 600"], on_line=print)\n'
                'sys.argv = ["main.py", "help"]\n'
                'sys.stdout.reconfigure(line_buffering=True)\n'
                'sys.exit(main.main())\n')
        for number in host.ENDS:
            with self.subTest(number), \
                    subprocess.Popen([sys.executable, '-B', '-c', code], text=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=':'.join(sys.path))) as run:
                child = int(run.stdout.readline())
                run.send_signal(number)
                self.assertEqual(run.wait(30), 130)
                self.assertEqual(run.stderr.read(), 'fastterm: interrupted\n')
                with self.assertRaises(ProcessLookupError):
                    os.kill(child, 0)

    def test_what_ends_ci_ends_what_it_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / '.ci').mkdir()
            shutil.copy(host.CHECKOUT / '.ci' / 'run', Path(folder) / '.ci')
            (Path(folder) / 'Makefile').write_text('style:\n\t@echo $$PPID\n\t@sleep 600\n')
            with subprocess.Popen(['bash', Path(folder) / '.ci' / 'run'], env=host.child_env(), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
                child = int(run.stdout.readline())
                run.send_signal(signal.SIGTERM)
                self.assertEqual(run.wait(30), 130)
                with self.assertRaises(ProcessLookupError):
                    os.kill(child, 0)

    def test_help_names_every_command_and_has_an_example_of_it(self):
        done = make('help')
        self.assertEqual(done.returncode, 0)
        for command in (name[4:].replace('_', '-') for name in vars(main) if name.startswith('cmd_')):
            if command != 'help':
                self.assertIn(f'    make {command}', done.stdout)

    def test_all_kernels(self):
        chosen = targets.select('', 'all', targets.TESTED)
        self.assertEqual(len({t.name for t in chosen}), len(targets.ARCHES) * len(targets.VARIANTS))

    def test_every_kernel_has_its_machine(self):
        for target in targets.select('all', 'all', ()):
            names = [name for name, _ in target.machines]
            self.assertEqual(names[0], target.name)
            self.assertEqual(len(set(names)), len(names))
            for name, where in target.machines:
                self.assertEqual(where.counted, name.endswith('icount'))
                # A machine whose clock counts instructions runs one processor after the other.
                options = machine.options(target.arch, where)
                self.assertEqual(options[options.index('-smp') + 1], '1' if where.counted else '4', name)


class Harness(unittest.TestCase):
    def test_a_failed_part_of_a_test_fails(self):
        class Parts(unittest.TestCase):
            def runTest(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertNotEqual(number, 1)
        (name, status, text), = main.harness(tests=Parts())
        self.assertEqual(status, 'failed')
        self.assertIn('number=1', name)
        self.assertIn('AssertionError', text)


class Suites(unittest.TestCase):
    def test_each_has_cases(self):
        """Wherever its table of them is."""
        self.assertEqual([name for name, cases in main.suites().items() if not cases], [])
        main.check_suite('fastterm_boundary.boundary_calls')
        with self.assertRaisesRegex(host.Error, 'no such case'):
            main.check_suite('fastterm_image_blinded.image_show')


class Packages(unittest.TestCase):
    def test_missing_tools_as_an_ordinary_user(self):
        """The exact command to run; nothing is installed."""
        with mock.patch.object(packages, 'missing', lambda tools: [('spatch', 'coccinelle'), ('bc', 'bc')]), \
                mock.patch.object(os, 'geteuid', lambda: 1000):
            with self.assertRaisesRegex(host.Error, 'sudo apt-get install -y --no-install-recommends bc coccinelle'):
                packages.setup(packages.TOOLS)

    def test_missing_tools_on_another_distribution(self):
        with mock.patch.object(packages, 'missing', lambda tools: [('spatch', 'coccinelle')]), \
                mock.patch.object(packages.shutil, 'which', lambda name: None):
            with self.assertRaisesRegex(host.Error, 'these tools are missing: spatch'):
                packages.setup(packages.TOOLS)

    def test_looks_for_commands_and_files(self):
        with tempfile.TemporaryDirectory() as empty, mock.patch.dict(os.environ, PATH=empty):
            self.assertEqual({what for what, _ in packages.missing(packages.TOOLS, empty)}, {what for what, _ in packages.TOOLS})
            tool = Path(empty) / 'spatch'
            tool.write_text('')
            tool.chmod(0o755)
            self.assertNotIn('spatch', {what for what, _ in packages.missing(packages.TOOLS, empty)})

    def test_full_disk(self):
        with mock.patch.object(host.shutil, 'disk_usage', lambda _: mock.Mock(free=10 ** 9)):
            with self.assertRaisesRegex(host.Error, r'needs about 4 GB in .*, 1\.0 GB are free'):
                host.need_space(Path('/tmp/x'), 4, 'this')
