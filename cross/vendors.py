# SPDX-License-Identifier: GPL-2.0-only
"""Try each form of the series as those would who take it: are its files what their tools parse, and do its patches apply with
the tool and the options that they use?"""

import re
import shutil
import tempfile
from pathlib import Path

import formats
import graft
import hooks
import host
import parts as all_parts
import series
import source
from host import Error

# Tools that are tried where they can be had.
TOOLS = (('quilt', 'quilt'), ('nix-instantiate', 'nix-bin'))


def _in_order(folder, pattern='*.patch'):
    return sorted(folder.glob(pattern))


def _listed(listing, folder):
    return [folder / line for line in listing.read_text(encoding='utf-8').split()]


def _patch(*options):
    """Apply patches with patch(1), and these options."""
    def apply(patches, tree):
        for patch in patches:
            host.run(['patch', *options, '-p1', '-i', patch], cwd=tree, what=patch.name)
    return apply


def _git_am(patches, tree):
    git = ['git', '-C', tree, '-c', 'user.name=vendor', '-c', 'user.email=vendor@example.invalid']
    env = host.git_env()
    for args in (['init', '--quiet'], ['add', '--all', '--force'], ['commit', '--quiet', '-m', 'kernel'], ['am', *patches]):
        host.run([*git, *args], env=env, what=f'git {args[0]}')
    shutil.rmtree(tree / '.git')


def _quilt(patches, tree):
    folder = patches[0].parent
    env = host.child_env(QUILT_PATCHES=str(folder), QUILT_SERIES=str(folder / 'series'), QUILT_PC='.pc')
    host.run(['quilt', '--quiltrc=-', 'push', '-a'], cwd=tree, env=env, what='quilt push')
    shutil.rmtree(tree / '.pc')


def _there(folder, names, what):
    missing = [name for name in names if not (folder / name).exists()]
    if missing or not names:
        raise Error(f'{what} names what is not there: {", ".join(missing) or "nothing"}')


def _debian(out):
    patches = _listed(out / 'debian/patches/series.fastterm', out / 'debian/patches')
    return patches, out / 'debian/config/config.fastterm'


def _yocto(out):
    linux = out / 'recipes-kernel/linux'
    append = (linux / 'linux-yocto_6.12.bbappend').read_text(encoding='utf-8')
    # A value of several lines has a backslash at the end of each of them but the last.
    value = re.fullmatch(r'FILESEXTRAPATHS:prepend := "\$\{THISDIR\}/files:"\n\nSRC_URI:append = "((?: \\\n   | *file://\S+)*'
                         r' \\\n)"\n', append)
    if not value:
        raise Error('the .bbappend is not of the form that bitbake parses')
    names = re.findall(r'file://(\S+)', value[1])
    _there(linux / 'files', names, 'SRC_URI')
    feature = linux / 'files/fastterm'
    lines = [line.split() for line in (feature / 'fastterm.scc').read_text(encoding='utf-8').splitlines() if line]
    if {line[0] for line in lines} - {'define', 'kconf', 'patch'}:
        raise Error('the .scc has a command that scc does not know')
    named = [line[-1] for line in lines if line[0] in ('kconf', 'patch')]
    _there(feature, named, 'the .scc')
    return [feature / name for name in named if name.endswith('.patch')], feature / 'fastterm.cfg'


def _buildroot(out):
    values = dict(re.findall(r'(?m)^(BR2_\w+)="(.*)"$', (out / 'configs/fastterm.fragment').read_text(encoding='utf-8')))
    _there(out, values.values(), 'the defconfig')
    return _in_order(out / values['BR2_LINUX_KERNEL_PATCH']), out / values['BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES']


def _nixos(out):
    module = out / 'fastterm.nix'
    if shutil.which('nix-instantiate'):
        with tempfile.TemporaryDirectory() as home:
            host.run(['nix-instantiate', '--parse', module], what='nix-instantiate --parse',
                     env=host.child_env(HOME=home, NIX_STATE_DIR=home, NIX_STORE_DIR=f'{home}/store'))
    text = module.read_text(encoding='utf-8')
    names = re.findall(r'patch = \./(\S+);', text)
    _there(out, names, 'the module')
    extra = re.search(r"extraConfig = \'\'\n(.*?)\'\';", text, re.S)[1]
    options = ''.join(f'CONFIG_{name}=y\n' for name in re.findall(r'(\w+) y\n', extra))
    (out / 'options').write_text(options, encoding='utf-8')
    return [out / name for name in names], out / 'options'


# What fastterm depends on.
THEIRS = ('BPF_SYSCALL', 'BPF_JIT')

# How each is read, and how it is applied: patches in their order, and the file with options.
TRIED = {
    'git': (lambda out: (_in_order(out), None), _git_am),
    'mbox': (lambda out: (_in_order(out, '*.mbox'), None), _git_am),
    'quilt': (lambda out: (_listed(out / 'patches/series', out / 'patches'), None), _quilt),
    'debian': (_debian, _patch('-t', '-F', '0', '-N', '-u', '-V', 'never', '-E')),
    'yocto': (_yocto, _git_am),
    'buildroot': (_buildroot, _patch('-g0', '-E', '--no-backup-if-mismatch', '-t', '-N')),
    'openwrt': (lambda out: (_in_order(out / 'target/linux/generic/hack-6.12'),
                             out / 'target/linux/generic/config-6.12.fastterm'),
                _patch('-f', '--no-backup-if-mismatch')),
    'nixos': (_nixos, _patch('--no-backup-if-mismatch')),
    'android': (lambda out: (_in_order(out / 'common-patches'), out / 'fastterm.fragment'), _git_am),
}


def cases(reference, tree):
    """[(case, status, text)] for a ktap suite: each form, made of the tree @reference, applied to the files of @tree."""
    version, parts = source.version(tree), all_parts.of(tree)
    state, found = graft.State(tree), []
    wanted = hooks.apply_all(state.original, version, hooks.load(parts))
    wanted |= {name: path.read_bytes() for name, path in graft.overlay(parts).items()}
    for name, form in formats.FORMATS.items():
        case = f'FORMAT={name}, made of Linux {source.version(reference)}, applies to {version}'
        own = series.reserved(state, parts)
        if own or name == 'android':
            # A tree that has reserved a place is its own reference.
            case = f'FORMAT={name}, made of {version}, applies to it'
            if not own:
                found.append((case, 'skipped', 'KDIR= is no Android tree'))
                continue
        with tempfile.TemporaryDirectory() as tmp:
            out, copy = Path(tmp) / 'series', Path(tmp) / 'tree'
            for file in [*hooks.files(parts), series.MAINTAINERS]:
                (copy / file).parent.mkdir(parents=True, exist_ok=True)
                (copy / file).write_bytes(state.original(file) or b'')
            try:
                series.make(tree if own else reference, out, parts, form)
                if not shutil.which('quilt') and name == 'quilt':
                    found.append((case, 'skipped', 'quilt is not installed'))
                    continue
                read, apply = TRIED[name]
                patches, options = read(out)
                apply(patches, copy)
                _known(options, copy)
                wrong = [file for file, data in wanted.items() if (copy / file).read_bytes() != data]
                found.append((case, 'failed' if wrong else 'passed',
                              f'not what the hooks make of it: {", ".join(wrong)}' if wrong else ''))
            except (Error, OSError) as error:
                found.append((case, 'failed', str(error)))
    return found


def _known(options, tree):
    """Every option that a fragment sets is one that the tree then has."""
    if not options:
        return
    kconfig = (tree / 'kernel/bpf/fastterm/Kconfig').read_text(encoding='utf-8')
    names = re.findall(r'(?m)^CONFIG_(\w+)=y$', options.read_text(encoding='utf-8'))
    unknown = [name for name in names if name not in THEIRS and f'config {name}\n' not in kconfig]
    if unknown or not names:
        raise Error(f'{options.name} sets options that there are not: {", ".join(unknown)}')
