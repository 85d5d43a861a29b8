# SPDX-License-Identifier: GPL-2.0-only
"""The tools we stand on: which are missing, and how they are installed."""

import os
import shutil
from pathlib import Path

import host
from host import Error
from targets import ARCHES, OTHERS

# What building and booting kernels needs.
# (what must be there: a command, or a file that begins with '/'; Debian package)
TOOLS = (
    ('gcc', 'gcc'), ('make', 'make'), ('ld', 'binutils'), ('/usr/include/stdio.h', 'libc6-dev'),
    ('git', 'git'), ('patch', 'patch'), ('perl', 'perl'), ('bc', 'bc'), ('bison', 'bison'), ('flex', 'flex'), ('cpio', 'cpio'),
    ('xz', 'xz-utils'), ('gzip', 'gzip'), ('rsync', 'rsync'), ('ccache', 'ccache'), ('spatch', 'coccinelle'),
    ('sparse', 'sparse'), ('pahole', 'dwarves'), ('clang-19', 'clang-19'), ('ld.lld-19', 'lld-19'),
    ('llvm-objcopy-19', 'llvm-19'), ('/usr/include/libelf.h', 'libelf-dev'),
    ('/usr/include/openssl/bio.h', 'libssl-dev'), ('/usr/include/zlib.h', 'zlib1g-dev'),
) + tuple(tool for arch in ARCHES.values() for tool in arch.tools)

# What `make style` compiles for architectures without a backend with.
STYLE = tuple((f'{other.gcc}gcc', other.package) for other in OTHERS)

# What grafting needs, be it into a tree that is never built here.
GRAFT = (('spatch', 'coccinelle'), ('diff', 'diffutils'))

# What user space for guests is built with; what only runs kernels needs none of it.
GUESTS = (('dpkg-source', 'dpkg-dev'), ('m4', 'm4')) + tuple(tool for arch in ARCHES.values() for tool in arch.guests)


def missing(tools, root='/'):
    """[(what, package)] of those that are not on this machine."""
    def there(what):
        return Path(root, what[1:]).exists() if what.startswith('/') else shutil.which(what)
    return [(what, package) for what, package in tools if not there(what)]


def update():
    """Renew apt's lists, if we may. Returns whether that was done."""
    if os.geteuid():
        return False
    host.run(['apt-get', 'update'], env=host.child_env(DEBIAN_FRONTEND='noninteractive'), what='apt-get update')
    return True


def setup(tools):
    """Install what is missing of @tools; or say how. Silent when nothing is."""
    lacking = missing(tools)
    if not lacking:
        return
    packages = sorted({package for _, package in lacking})
    if not shutil.which('apt-get'):
        raise Error('these tools are missing: ' + ', '.join(what for what, _ in lacking) +
                    f'\ninstall them with your distribution\'s package manager (Debian calls the packages '
                    f'{" ".join(packages)})')
    install = ['apt-get', 'install', '-y', '--no-install-recommends', *packages]
    if os.geteuid():
        raise Error('these tools are missing: ' + ', '.join(what for what, _ in lacking) +
                    f'\ninstall them with:\n  sudo apt-get update && sudo {" ".join(install)}')
    host.say(f'installing {len(packages)} packages: {" ".join(packages)}')
    update()
    host.run(install, env=host.child_env(DEBIAN_FRONTEND='noninteractive'), what=' '.join(install))
    lacking = missing(tools)
    if lacking:
        raise Error('installed, but still not found: ' + ', '.join(f'{w} (package {p})' for w, p in lacking))
