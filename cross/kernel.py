# SPDX-License-Identifier: GPL-2.0-only
"""Configure and build a kernel, in a build tree of its own in the cache folder."""

import functools
import shutil
import sys

import graft
import host
import machine
import made
import source
import tree as trees
from host import Error


def jobs():
    # One more: some wait for what is not there yet.
    return f'-j{host.processors() + 1}'


def kunit_py(tree, command, *args):
    return [sys.executable, '-B', tree.path / 'tools' / 'testing' / 'kunit' / 'kunit.py', command, *args]


@functools.cache
def _types_alone():
    """Whether nothing goes by where variables are: from 1.25 on, pahole looks where parameters are."""
    _, version = host.run(['pahole', '--numeric_version'])
    return int(version) < 125


def make(tree, build, target, *args):
    """The kernel's make, for one build tree."""
    # The code is the same. Of the debug information only the types are of use, for BTF; where variables are takes a sixth
    # of gcc's time, and most of the room.
    less = ['KCFLAGS=-fno-var-tracking -gno-statement-frontiers'] if not target.clang and _types_alone() else []
    return ['make', '-C', tree.path, f'O={build}', f'ARCH={target.arch.linux}', *target.toolchain, *less, *args]


def locked(tree_name):
    """While this is held nobody else grafts the tree or builds from it."""
    return host.lock(f'tree-{tree_name}')


def prepared(kdir=None):
    """(lock, function that gives the grafted working copy): take the first, then call the second."""
    original = kdir or source.distribution()

    def grafted():
        tree = trees.working_copy(kdir)
        graft.adopt(tree.path)
        graft.apply(tree.path)
        return tree
    return locked(trees.copy_name(original)), grafted


def qemu_config(target, where, folder):
    """The file in @folder by which kunit.py knows @where, a Machine of the target."""
    path = folder / 'qemu_config.py'
    path.write_text(machine.for_kunit(target.arch, where, image(target)), encoding='utf-8')
    return path


def _made_of(tree, target, build, fragments, qemu):
    """A digest of all that a .config is made of, and of itself."""
    compiler = next(o for o in target.toolchain if o.startswith('CC=')).removeprefix('CC=').split()
    _, version = host.run([*compiler, '--version'])
    kconfigs = sorted(path for path in tree.path.rglob('Kconfig*') if path.is_file())
    return made.digest(*kconfigs, *fragments.values(), qemu, ' '.join(target.toolchain), version,
                       *(path for path in [build / '.config'] if path.exists()))


def configure(tree, target, build, fragments=None):
    """Write .config from the fragments, {name: text}; an error if an option that they ask for did not survive.

    Nothing is done where that has been done already, of the same.
    """
    build.mkdir(parents=True, exist_ok=True)
    fragments = target.fragments if fragments is None else fragments
    qemu = qemu_config(target, next(target.machines)[1], build)
    done = build / '.configured'
    if done.exists() and done.read_text(encoding='utf-8') == _made_of(tree, target, build, fragments, qemu):
        return
    # A file each: kunit.py says in which of them it has found an option that another one wants otherwise.
    place = build / 'fragments'
    place.mkdir(exist_ok=True)
    for name, text in fragments.items():
        (place / f'{name}.config').write_text(text, encoding='utf-8')
    options = [f'--make_options={o}' for o in target.toolchain]
    # What the tree offers may have changed since: new options take their defaults, where make would ask. Options may also
    # have gone, and kunit.py believes a .config in which they still are: so this comes before it.
    if (build / '.config').exists():
        host.run(make(tree, build, target, 'olddefconfig'), what=f'configuring {target.name}')
    host.run(kunit_py(tree, 'config', f'--arch={target.arch.linux}', f'--build_dir={build}', *options,
                      *(f'--kunitconfig={place / name}.config' for name in fragments), f'--qemu_config={qemu}'),
             what=f'configuring {target.name} (an option that is named did not survive: its dependencies are off, '
                  f'or something else selects it)')
    host.write_whole(done, _made_of(tree, target, build, fragments, qemu).encode())


def build(tree, target):
    """Build a kernel. Returns its build tree; what it said is in build.log there."""
    folder = tree.builds / target.name
    host.need_space(folder, 3, f'building {target.name}')
    configure(tree, target, folder)
    log = folder / 'build.log'
    progress = host.Progress(f'building {target.name} from Linux {tree.version}')
    host.run(make(tree, folder, target, jobs(), target.arch.image), log=log, on_line=progress.step,
             what=f'building {target.name}')
    progress.done()
    return folder


def image(target):
    """Where the bootable image is, below a build tree."""
    return f'arch/{target.arch.srcarch}/boot/{target.arch.image}'


def fetch(folder, target, out):
    """Copy what booting needs, so that the build tree is free for the next while the kernel runs."""
    copy = out / image(target)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(folder / image(target), copy)
    shutil.copy2(folder / '.config', out / 'config')
    if not copy.stat().st_size:
        raise Error(f'{folder / image(target)} is empty: remove {folder} and build again')
