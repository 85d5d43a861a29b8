# SPDX-License-Identifier: GPL-2.0-only
"""The series in the form in which a distribution keeps patches of its kernel, with the options that belong to it.

Each is a folder whose files are laid out as they are in that distribution's tree. cross/vendors/README.md says where they go.
"""

import shutil
from pathlib import Path

from host import Error

# What is switched on for use; the rest follows from it.
OPTIONS = 'CONFIG_BPF_SYSCALL=y\nCONFIG_BPF_JIT=y\nCONFIG_BPF_FASTTERM=y\nCONFIG_BPF_FASTTERM_WATCHDOG=y\n'


def _put(out, name, text):
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def _move(patches, folder, named='{name}'):
    """Move patches to a folder. Returns their names there, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [named.format(name=path.name) for path in patches]
    for path, name in zip(patches, names):
        shutil.move(path, folder / name)
    return names


def git(patches, out):
    """For git am: the patches as they are."""


def mbox(patches, out):
    """All patches in one file, which a release carries: whoever applies it needs neither this nor Coccinelle."""
    _put(out, 'fastterm-linux-6.12.mbox', ''.join(path.read_text(encoding='utf-8') for path in patches))
    for path in patches:
        path.unlink()


def quilt(patches, out):
    """patches/ and patches/series, for quilt, and for all that is built around it."""
    names = _move(patches, out / 'patches')
    _put(out, 'patches/series', ''.join(f'{name}\n' for name in names))


def debian(patches, out):
    """Lines for debian/patches/series and debian/config/config, and the patches."""
    folder = 'features/all/fastterm'
    names = _move(patches, out / 'debian/patches' / folder)
    _put(out, 'debian/patches/series.fastterm', ''.join(f'{folder}/{name}\n' for name in names))
    _put(out, 'debian/config/config.fastterm', f'##\n## file: kernel/bpf/fastterm/Kconfig\n##\n{OPTIONS}')


def yocto(patches, out):
    """A .bbappend with SRC_URI, and a feature for the kernel's metadata."""
    names = _move(patches, out / 'recipes-kernel/linux/files/fastterm')
    _put(out, 'recipes-kernel/linux/files/fastterm/fastterm.cfg', OPTIONS)
    _put(out, 'recipes-kernel/linux/files/fastterm/fastterm.scc',
         'define KFEATURE_DESCRIPTION "Fast-path termination of BPF programs"\ndefine KFEATURE_COMPATIBILITY all\n\n'
         'kconf non-hardware fastterm.cfg\n' + ''.join(f'patch {name}\n' for name in names))
    lines = ''.join(f'    file://fastterm/{name} \\\n' for name in (*names, 'fastterm.cfg'))
    _put(out, 'recipes-kernel/linux/linux-yocto_6.12.bbappend',
         f'FILESEXTRAPATHS:prepend := "${{THISDIR}}/files:"\n\nSRC_URI:append = " \\\n{lines}"\n')


def buildroot(patches, out):
    """A folder for BR2_LINUX_KERNEL_PATCH, a fragment, and the lines of a defconfig that name both."""
    _move(patches, out / 'board/fastterm/linux-patches')
    _put(out, 'board/fastterm/linux.fragment', OPTIONS)
    _put(out, 'configs/fastterm.fragment',
         'BR2_LINUX_KERNEL_PATCH="board/fastterm/linux-patches"\n'
         'BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES="board/fastterm/linux.fragment"\n')


def openwrt(patches, out):
    """Patches for target/linux/generic/hack-6.12, and symbols for config-6.12 beside it."""
    _move(patches, out / 'target/linux/generic/hack-6.12', named='990-{name}')
    _put(out, 'target/linux/generic/config-6.12.fastterm', OPTIONS)


def nixos(patches, out):
    """A module with boot.kernelPatches; the options are with the last patch."""
    names = _move(patches, out / 'patches')
    *first, last = [f'{{ name = "{Path(name).stem}"; patch = ./patches/{name};' for name in names]
    entries = ''.join(f'    {entry} }}\n' for entry in first)
    # Releases differ in how they take options as an expression; all of them take text.
    options = ''.join(f'        {line[7:-2]} y\n' for line in OPTIONS.splitlines())
    _put(out, 'fastterm.nix',
         '{ ... }:\n{\n  boot.kernelPatches = [\n' + entries + f'    {last}\n'
         '      extraConfig = \'\'\n' + options + '      \'\';\n    }\n'
         '  ];\n}\n')


def android(patches, out):
    """Patches for the common kernel, and a fragment of options."""
    _move(patches, out / 'common-patches')
    _put(out, 'fastterm.fragment', OPTIONS)


FORMATS = {'git': git, 'mbox': mbox, 'quilt': quilt, 'debian': debian, 'yocto': yocto, 'buildroot': buildroot,
           'openwrt': openwrt, 'nixos': nixos, 'android': android}


# Those which are applied by a patch(1) that may leave out lines of context.
FUZZY = (quilt, buildroot, openwrt, nixos)


def named(name):
    """The function that FORMAT= names."""
    if name and name not in FORMATS:
        raise Error(f'FORMAT={name}: unknown; valid are {", ".join(FORMATS)}')
    return FORMATS[name or 'git']
