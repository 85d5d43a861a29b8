# SPDX-License-Identifier: GPL-2.0-only
"""The commands behind the Makefile."""

import argparse
import contextlib
import fnmatch
import functools
import hashlib
import itertools
import os
import re
import shutil
import signal
import sys
import unittest
from pathlib import Path
from unittest import mock

import bench
import boot
import callbacks
import compiles
import debugger
import demo
import escape
import formats
import graft
import hooks
import host
import kernel
import ktap
import matrix
import packages
import parts
import run
import series
import sound
import source
import style
import targets
import unchanged
import usable
import vectors
import vendors
from host import Error

HELP = (
    ('demo', 'programs that run away, and what becomes of them', 'make demo ARCH=arm64'),
    ('run', 'BPF objects of yours, under the watchdog', 'make run OBJ=prog.bpf.o SECONDS=2 SITES=1'),
    ('setup', 'install missing packages, fetch and unpack the kernel source', 'make setup'),
    ('kernel', 'build kernels', 'make kernel ARCH=arm64 VARIANT=hardened'),
    ('kunit', 'build, boot and run KUnit suites', "make kunit ARCH=riscv64 SUITE='fastterm_load'"),
    ('gdb', 'a kernel that waits before its first instruction, and gdb connected to it',
     "make gdb ARCH=arm64 SUITE='fastterm_redirect'"),
    ('sound', 'programs that show it if a stub image does what the verifier has not seen', 'make sound VARIANT=debug'),
    ('escape', 'programs that hold a CPU, or get past a guard, if terminations can be evaded', 'make escape ARCH=arm64'),
    ('test', 'set up, then run every test there is', 'make test'),
    ('bench', 'what fastterm costs, over the BPF programs of the kernel tree', 'make bench ARCH=x86_64'),
    ('graft', 'put fastterm into a kernel tree of yours', 'make graft KDIR=~/linux'),
    ('ungraft', 'take it out again, byte for byte', 'make ungraft KDIR=~/linux'),
    ('series', 'fastterm as patches, in out/series/', 'make series KDIR=~/linux FORMAT=yocto ARCH=arm64 KUNIT=0'),
    ('check-hooks', 'do our changes fit a kernel, and does it compile with them?', 'make check-hooks KDIR=~/linux ARCH=arm64'),
    ('vendors', 'does the series apply in each form that distributions take?', 'make vendors KDIR=~/linux'),
    ('vectors', 'golden vectors of the backends, on this machine: no kernel is built', 'make vectors ARCH=riscv64'),
    ('style', 'checkpatch, kernel-doc, W=1 and sparse on our files, how large backends are, and kernels without one',
     'make style'),
    ('clean', 'remove out/; with CACHE=1 also source, build trees and ccache', 'make clean CACHE=1'),
)


def suites():
    """{name of a KUnit suite of ours: names of its cases}, from their sources."""
    text = '\n'.join(path.read_text(encoding='utf-8') for path in (host.CHECKOUT / 'kunit').glob('*.c'))
    # Two suites may have one table, in a third file.
    tables = dict(re.findall(r'struct kunit_case (\w+)\[\] = \{(.*?)\n\};', text, re.S))
    found = re.findall(r'\.name = "(fastterm_\w+)",[^}]*\.test_cases = (\w+)', text)
    return {name: re.findall(r'\bKUNIT_CASE\w*\((\w+)', tables[table]) for name, table in sorted(found)}


def check_suite(pattern):
    suite, point, case = pattern.partition('.')
    chosen = fnmatch.filter(suites(), suite)
    if pattern and not chosen:
        raise Error(f'SUITE={pattern}: no such suite; valid are {", ".join(suites())}, '
                    'shell patterns, and <suite>.<case>')
    cases = [name for suite in chosen for name in suites()[suite]]
    if point and not fnmatch.filter(cases, case):
        raise Error(f'SUITE={pattern}: no such case; valid are {", ".join(cases)}, and shell patterns')


def setup(args):
    packages.setup(packages.TOOLS)
    if args.kdir:
        source.version(args.kdir)
    else:
        source.distribution()


def selected(args, otherwise=None, alone=False):
    """The targets that ARCH= and VARIANT= name, those alone whose architecture KDIR= has.

    @otherwise: which where neither is given, by default the default kernels; with @alone, the first of them.
    """
    chosen = targets.select(args.arch, args.variant, otherwise or [(name, 'default') for name in targets.ARCHES])
    lacking = parts.absent(args.kdir) if args.kdir else []
    if args.arch in lacking:
        raise Error(f'ARCH={args.arch}: {args.kdir} has no arch/{targets.ARCHES[args.arch].srcarch}/')
    left = [target for target in chosen if target.arch.name not in lacking]
    if not left:
        raise Error(f'{args.kdir} has none of our architectures')
    return left[:1] if alone and not args.arch and not args.variant else left


def cmd_setup(args):
    packages.setup(packages.TOOLS + packages.GUESTS)
    setup(args)
    host.say(f'ready: {source.distribution() if not args.kdir else args.kdir}, cache folder {host.cache()}')


def cmd_kernel(args):
    chosen = selected(args)
    setup(args)
    for target in chosen:
        lock, grafted = kernel.prepared(args.kdir)
        with lock:
            folder = kernel.build(grafted(), target)
        print(folder / kernel.image(target))


def built(args, target):
    """Build a kernel for all machines that it is booted on. The tree that it is made of, or why there is none."""
    lock, grafted = kernel.prepared(args.kdir)
    try:
        with lock:
            tree = grafted()
            folder = kernel.build(tree, target)
            for name, *_ in target.runs(args.suite):
                out = host.OUT / name
                out.mkdir(parents=True, exist_ok=True)
                kernel.fetch(folder, target, out)
        return tree
    except (Error, OSError) as error:
        return error


def boot_on(kernel_of, target, name, machine, suite, patience=1):
    """boot.Result of a machine. @kernel_of: the future of what built() returns; @patience: so many times the usual one."""
    tree = kernel_of.result()
    if isinstance(tree, Exception):
        return boot.Result(name, None, [str(tree)])
    try:
        return boot.run(tree, target, (name, machine), host.OUT / name, suite=suite, timeout=patience * boot.TIMEOUT)
    except (Error, OSError) as error:
        return boot.Result(name, None, [str(error)])


def behind(future, function, *args):
    """What @function returns, called when @future has come about, if there is any."""
    if future:
        future.result()
    return function(*args)


def named(name, function):
    """What @function returns, and whose that is."""
    return name, function()


def boots(args, chosen, beside=()):
    """Build each target and boot it on each of its machines, one boot.Result at a time.

    By what the one that is booted leaves of the processors the next ones are built, one by one. When all are, machines run
    there whose time is their own, and the functions @beside; what comes of these comes last. What cannot be built fails its
    own boots and no others.
    """
    alone, counting, trees, before = [], [], {}, None
    for target in chosen:
        for machine in target.runs(args.suite):
            (counting if machine[1].counted else alone).append((target, machine))
    with host.side_by_side(aside=True) as pool:
        for target in chosen:
            before = trees[target.name] = pool.submit(behind, before, built, args, target)
        last = [pool.submit(behind, before, boot_on, trees[target.name], target, *machine, 2) for target, machine in counting]
        last += [pool.submit(behind, before, function) for function in beside]
        for target, machine in alone:
            yield boot_on(trees[target.name], target, *machine)
        for future in last:
            yield future.result()


def number_of_boots(args, chosen):
    return sum(len(list(target.runs(args.suite))) for target in chosen)


def cmd_kunit(args):
    chosen = selected(args)
    setup(args)
    report = ktap.Report(number_of_boots(args, chosen), xml='kunit')
    with own_locks(host.CHECKOUT), contextlib.closing(boots(args, chosen)) as results:
        for result in results:
            report.boot(result)
    return report.close()


def cmd_gdb(args):
    if args.arch == 'all' or args.variant == 'all':
        raise Error('make gdb debugs one kernel: ARCH= and VARIANT= name one')
    target = selected(args, alone=True)[0]
    packages.setup(packages.TOOLS + debugger.TOOLS)
    setup(args)
    name, machine, suite = next(target.runs(args.suite))
    out = host.OUT / f'gdb-{name}'
    out.mkdir(parents=True, exist_ok=True)
    lock, grafted = kernel.prepared(args.kdir)
    with own_locks(host.OUT / 'gdb'):
        with lock:
            tree = grafted()
            folder = kernel.build(tree, target)
            debugger.prepare(tree, target, folder)
            kernel.fetch(folder, target, out)
        return debugger.run(target, machine, folder, out, suite, args.gdb)


def harness(kdir=None, tests=None):
    """Our own tests, or @tests, as cases of a ktap suite. They use the tools of the kernel tree @kdir."""
    cases = []

    class Collect(unittest.TestResult):
        def addSuccess(self, test):
            cases.append((test.id(), 'passed', ''))

        def addSkip(self, test, reason):
            cases.append((test.id(), 'skipped', reason))

        def addFailure(self, test, err):
            cases.append((test.id(), 'failed', self._exc_info_to_string(err, test)))

        addError = addFailure

        def addSubTest(self, test, subtest, err):
            # Of a test with one that has failed nothing else is told.
            if err:
                self.addFailure(subtest, err)

    suite = tests or unittest.defaultTestLoader.discover(str(host.CHECKOUT / 'cross' / 'tests'))
    tree = {'FASTTERM_TEST_TREE': str(kdir)} if kdir else {}
    with mock.patch.object(host, 'say', lambda text: None), mock.patch.dict(os.environ, tree):
        suite.run(Collect())
    return cases


def hook_cases(tree, version, arch=''):
    """Whether each hook fits, as cases of a ktap suite. What does not fit hides nothing else that does not."""
    cases, state, changed = [], graft.State(tree), {}
    for hook in hooks.load(parts.of(tree, arch)):
        wrong = []
        for file in hook.places:
            try:
                changed |= hooks.apply_all(lambda name: changed.get(name, state.original(name)), version,
                                           [hook.only(file.__eq__)])
            except Error as error:
                wrong.append(str(error))
        cases.append((hook.name, 'failed' if wrong else 'passed', '\n'.join(wrong)))
    return cases


def callback_cases(tree, version):
    """Whether every function that calls callbacks of programs is known, as the case of a ktap suite."""
    name, state = 'every function that calls callbacks of programs is known', graft.State(tree)
    try:
        changed = hooks.apply_all(state.original, version, hooks.load(parts.of(tree)))
    except Error as error:
        return [(name, 'failed', str(error))]
    wrong = callbacks.unknown(tree, lambda file: changed.get(file) or state.original(file))
    return [(name, 'failed' if wrong else 'passed', '\n'.join(wrong))]


def cmd_check_hooks(args):
    chosen = selected(args)
    if any(target.variant != 'default' for target in chosen):
        raise Error('make check-hooks is about code, of which all variants have the same')
    setup(args)
    tree = args.kdir or source.distribution()
    version, what = source.version(tree), parts.of(tree, args.arch)
    host.say(f'hooks on Linux {version}')
    report = ktap.Report(4, xml='check-hooks')
    lock, grafted = kernel.prepared(args.kdir)
    with lock:
        if graft.taken(tree):
            # What it was before is known of the copy.
            tree = grafted().path
        report.suite('hooks', hook_cases(tree, version, args.arch))
        report.suite('callbacks', callback_cases(tree, version))
        report.suite('series', series.fits(source.distribution(), tree, what))
        try:
            cases = compiles.cases(grafted(), [target for target in chosen if target.arch.srcarch in what.srcarches])
        except Error as error:
            cases = [('is grafted', 'failed', str(error))]
    report.suite('compiles', cases)
    return report.close()


def cmd_vectors(args):
    chosen = selected(args)
    if any(target.variant != 'default' for target in chosen):
        raise Error('make vectors is about code, of which all variants have the same')
    setup(args)
    report = ktap.Report(1, xml='vectors')
    with own_locks(host.OUT / 'vectors'):
        report.suite('vectors', vectors.cases(args.kdir, [target.arch for target in chosen]))
    return report.close()


def cmd_test(args):
    chosen = selected(args, otherwise=targets.TESTED)
    packages.setup(packages.TOOLS + packages.GUESTS)
    setup(args)
    # What the default kernel is for, on the first architecture that has one here.
    shown = [target.arch for target in chosen if target.variant == 'default'][:1]
    guests = [(f'demo-{arch.name}', functools.partial(demo.cases, args.kdir, arch), arch.counted)
              for arch in shown]
    guests += [(f'usable-{arch.name}', functools.partial(usable.cases, args.kdir, arch), False)
               for arch in shown]
    guests += [(f'sound-{target.name}', functools.partial(sound.cases, args.kdir, target), sound.is_counted(target))
               for target in chosen if target.variant in sound.VARIANTS]
    guests += [(f'escape-{target.name}', functools.partial(escape.cases, args.kdir, target), False)
               for target in chosen if target.variant == 'default']
    # The matrix is about kernels on which every suite has been run.
    told = [target.arch.name for target in chosen if target.variant == 'default'] if not args.suite else []
    compared = bool(told) and not args.kdir
    report = ktap.Report(4 + compared + len(guests) + number_of_boots(args, chosen), xml='test')
    report.suite('harness', harness(args.kdir))
    with own_locks(host.OUT / 'vectors'):
        report.suite('vectors', vectors.cases(args.kdir, [arch for name, arch in targets.ARCHES.items()
                                                          if name not in (parts.absent(args.kdir) if args.kdir else [])]))
    lock, grafted = kernel.prepared(args.kdir)
    with lock:
        original = args.kdir or source.distribution()
        if graft.taken(original):
            original = grafted().path
        report.suite('hooks', hook_cases(original, source.version(original)) +
                     callback_cases(original, source.version(original)))
        try:
            cases = unchanged.check(grafted())
        except (Error, OSError) as error:
            cases = [('is grafted', 'failed', str(error))]
        report.suite('unchanged', cases)
    shows = [(functools.partial(named, name, function), counted) for name, function, counted in guests]
    # Where its time is that of this machine, nothing runs beside it.
    beside = [show for show, counted in shows if counted]
    with own_locks(host.CHECKOUT, host.OUT / 'demo', host.OUT / 'escape', host.OUT / 'sound'), \
            contextlib.closing(boots(args, chosen, beside)) as results:
        for result in itertools.chain(results, (show() for show, counted in shows if not counted)):
            if isinstance(result, boot.Result):
                report.boot(result)
            else:
                report.suite(*result)
    if told:
        line = '.'.join(source.version(original).split('.')[:2])
        found = matrix.Results(report.results.root, told)
        matrix.write(found, line)
        if compared:
            report.suite('features', matrix.cases(found))
    return report.close()


def cmd_bench(args):
    chosen = selected(args)
    if any(target.variant != 'default' for target in chosen):
        raise Error('make bench measures VARIANT=default')
    packages.setup(packages.TOOLS + packages.GUESTS)
    setup(args)
    arches = [target.arch for target in chosen]
    with own_locks(host.OUT / 'bench'):
        good = bench.run(args.kdir, arches)
        return all([usable.run(args.kdir, arch, usable.LONG) for arch in arches]) and good


def cmd_demo(args):
    chosen = selected(args, alone=True)
    if any(target.variant != 'default' for target in chosen):
        raise Error('make demo shows VARIANT=default')
    packages.setup(packages.TOOLS + packages.GUESTS)
    setup(args)
    arches = [target.arch for target in chosen]
    with own_locks(host.OUT / 'demo'):
        good = demo.run(args.kdir, arches)
        return all([usable.run(args.kdir, arch) for arch in arches]) and good


def cmd_run(args):
    chosen = selected(args, alone=True)
    if len(chosen) != 1 or chosen[0].variant != 'default':
        raise Error('make run runs on one architecture, VARIANT=default')
    run.objects(args.obj)
    run.parameters(args.prog, args.seconds, args.sites)
    packages.setup(packages.TOOLS + packages.GUESTS)
    setup(args)
    with own_locks(host.OUT / 'run'):
        return run.run(args.kdir, chosen[0].arch, args.obj, args.prog, args.seconds, args.sites, args.cpus, args.json)


def cmd_sound(args):
    chosen = selected(args, alone=True)
    if any(target.variant not in sound.VARIANTS for target in chosen):
        raise Error(f'make sound runs on VARIANT={" and ".join(sound.VARIANTS)}')
    packages.setup(packages.TOOLS + packages.GUESTS)
    setup(args)
    with own_locks(host.OUT / 'sound'):
        return sound.run(args.kdir, chosen)


def cmd_escape(args):
    chosen = selected(args, alone=True)
    if any(target.variant not in escape.VARIANTS for target in chosen):
        raise Error(f'make escape runs on VARIANT={" and ".join(escape.VARIANTS)}')
    packages.setup(packages.TOOLS + packages.GUESTS)
    setup(args)
    with own_locks(host.OUT / 'escape'):
        return escape.run(args.kdir, chosen)


def cmd_style(args):
    packages.setup(packages.TOOLS + packages.STYLE)
    setup(args)
    lock, grafted = kernel.prepared(args.kdir)
    report = ktap.Report(1, xml='style')
    with lock:
        report.suite('style', style.check(grafted()))
    return report.close()


def own_lock_name(folder):
    return f'folder-{hashlib.sha256(str(folder).encode()).hexdigest()[:10]}'


@contextlib.contextmanager
def own_locks(*folders):
    """One run at a time in folders of the user's: a kernel tree, or a checkout with its out/."""
    with contextlib.ExitStack() as held:
        # In the order in which everybody takes several.
        for name in sorted(map(own_lock_name, folders)):
            held.enter_context(host.lock(name))
        yield


def need_kdir(args, command):
    if not args.kdir:
        raise Error(f'make {command} needs KDIR=<the kernel tree>, for example: make {command} KDIR=~/linux')


def cmd_graft(args):
    need_kdir(args, 'graft')
    packages.setup(packages.GRAFT)
    source.version(args.kdir)
    with own_locks(args.kdir):
        changed = graft.apply(args.kdir, parts.of(args.kdir, args.arch, args.kunit))
    host.say(f'{args.kdir} (Linux {source.version(args.kdir)}): {"grafted" if changed else "already up to date"}; '
             'switch it on with CONFIG_BPF_FASTTERM=y')


def cmd_ungraft(args):
    need_kdir(args, 'ungraft')
    with own_locks(args.kdir):
        graft.remove(args.kdir)
    host.say(f'{args.kdir}: as it was before')


def cmd_series(args):
    form = formats.named(args.format)
    packages.setup((*packages.GRAFT, ('git', 'git')))
    tree, out = args.kdir or source.distribution(), host.OUT / 'series'
    what = parts.of(tree, args.arch, args.kunit) if args.arch or args.kunit else None
    with own_locks(tree, out):
        for path in series.make(tree, out, what, form):
            print(path)
    host.say(series.how_to_take(tree, out, form))


def cmd_vendors(args):
    setup(args)
    tree = args.kdir or source.distribution()
    if graft.taken(tree):
        raise Error(f'{tree} has taken the series: name a tree that it is to be applied to')
    packages.setup(vendors.TOOLS)
    report = ktap.Report(1, xml='vendors')
    report.suite('vendors', vendors.cases(source.distribution(), tree))
    return report.close()


def cmd_clean(args):
    with contextlib.ExitStack() as held:
        # Not from below anybody who builds or boots. The locks stay: removed ones could be held by two.
        locks = host.cache() / 'locks'
        names = {own_lock_name(folder) for folder in (host.CHECKOUT, host.OUT / 'bench', host.OUT / 'demo', host.OUT / 'run',
                                             host.OUT / 'gdb', host.OUT / 'series', host.OUT / 'escape', host.OUT / 'sound', host.OUT / 'vectors')}
        names |= {path.name for path in locks.glob('*')} if args.cache else set()
        # In the order in which everybody takes several.
        for name in sorted(names, key=lambda name: (not name.startswith('folder-'), not name.startswith('tree-'), name)):
            held.enter_context(host.lock(name))
        shutil.rmtree(host.OUT, ignore_errors=True)
        if args.cache:
            for folder in host.cache().glob('*'):
                if folder != locks:
                    shutil.rmtree(folder, ignore_errors=True)


def cmd_help(_args):
    width = max(len(name) for name, _, _ in HELP)
    for name, what, example in HELP:
        print(f'  {name:{width}}  {what}\n  {"":{width}}    {example}')
    print(f'\n  ARCH     {", ".join(targets.ARCHES)}, all'
          f'\n  VARIANT  {", ".join(targets.VARIANTS)}, all'
          f'\n  SUITE    {", ".join(suites())}; shell patterns and <suite>.<case> too'
          f'\n  OBJ      BPF objects to run; PROG, one program of them; SECONDS, of the guest; SITES=1, all decisions;'
          f'\n           CPUS=1, a machine on which instructions are counted; JSON=1, lines of JSON on a terminal as well'
          f'\n  FORMAT   of a series: {", ".join(formats.FORMATS)}'
          f'\n  GDB      further arguments of gdb, such as GDB="-batch -ex bt"'
          f'\n  KUNIT    0 leaves the KUnit suites out of a graft or series'
          f'\n  KDIR     a kernel tree of yours instead of the distribution\'s source; only graft and ungraft write into it')


def main():
    commands = {name[4:].replace('_', '-'): function for name, function in globals().items()
                if name.startswith('cmd_')}
    options = argparse.ArgumentParser(prog='main.py', description='The commands behind the Makefile; see make help.')
    options.add_argument('command', choices=sorted(commands))
    for name in ('arch', 'variant', 'suite', 'kdir', 'cache', 'obj', 'prog', 'seconds', 'sites', 'cpus', 'json', 'kunit', 'format', 'gdb'):
        options.add_argument(f'--{name}', default='')
    args = options.parse_args()
    # A terminated run cleans up like an interrupted one, and so does one whose terminal goes, unless it is to outlive that.
    for number in host.ENDS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        if args.kdir:
            args.kdir = host.user_path('KDIR', args.kdir).resolve()
            source.version(args.kdir)
        for name in ('cache', 'sites', 'cpus', 'json'):
            if getattr(args, name) not in ('', '1'):
                raise Error(f'{name.upper()}={getattr(args, name)}: unknown; valid is 1')
        # Also where they mean nothing: who misspells one is told so everywhere.
        targets.select(args.arch, args.variant, ())
        check_suite(args.suite)
        return 0 if commands[args.command](args) in (None, True) else 1
    except Error as error:
        host.say(f'fastterm: {error}')
        return 1
    except OSError as error:
        host.say(f'fastterm: {error.filename or ""}: {error.strerror}')
        return 1
    except KeyboardInterrupt:
        host.say('fastterm: interrupted')
        return 130


if __name__ == '__main__':
    sys.exit(main())
