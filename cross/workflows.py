# SPDX-License-Identifier: GPL-2.0-only
"""What CI systems are told, and the container: the files in cross/ci/, made of the lists that our own commands have.

A kernel a job, side by side, each with its own cache; `make style` is another one. `python3 -B cross/workflows.py` writes
the files anew, and a test compares them.
"""

import host
import packages
import targets

FOLDER = host.CHECKOUT / 'cross' / 'ci'

IMAGE = 'debian:12'
# What is needed before the first of our commands, which installs the rest.
FIRST = 'apt-get update && apt-get install -y --no-install-recommends ca-certificates git make python3 tar zstd'
MINUTES = 120

HEAD = '# SPDX-License-Identifier: GPL-2.0-only\n# Made by cross/workflows.py.\n'


def github():
    """A workflow of GitHub's, for .github/workflows/."""
    kernels = '\n'.join(f'          - {{arch: {arch}, variant: {variant}}}' for arch, variant in targets.TESTED)
    return f'''{HEAD}name: fastterm
on: [push, pull_request, workflow_dispatch]
permissions:
  contents: read
env:
  XDG_CACHE_HOME: /cache
jobs:
  style:
    runs-on: ubuntu-latest
    container: {IMAGE}
    timeout-minutes: {MINUTES}
    steps:
      - run: {FIRST}
      - uses: actions/checkout@v4
{_kept('style')}
      - run: make style
  test:
    runs-on: ubuntu-latest
    container: {IMAGE}
    timeout-minutes: {MINUTES}
    strategy:
      fail-fast: false
      matrix:
        include:
{kernels}
    steps:
      - run: {FIRST}
      - uses: actions/checkout@v4
{_kept('${{ matrix.arch }}-${{ matrix.variant }}')}
      - run: make test ARCH=${{{{ matrix.arch }}}} VARIANT=${{{{ matrix.variant }}}}
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: ${{{{ matrix.arch }}}}-${{{{ matrix.variant }}}}
          path: |
            out/junit/
            out/*/console.log
            out/*/results.ktap
            out/*/results.json
            out/*/config
'''


def _kept(job):
    """The step that keeps ccache and the kernel source between runs of a job."""
    return f'''      - uses: actions/cache@v4
        with:
          path: |
            /cache/fastterm/ccache
            /cache/fastterm/src
          key: fastterm-{job}-${{{{ github.sha }}}}
          restore-keys: fastterm-{job}-'''


def gitlab():
    """A pipeline of GitLab's, for .gitlab-ci.yml or `include:`. Caches are in the checkout: GitLab keeps no other place."""
    kernels = '\n'.join(f'      - {{ARCH: {arch}, VARIANT: {variant}}}' for arch, variant in targets.TESTED)
    return f'''{HEAD}default:
  image: {IMAGE}
  timeout: {MINUTES} minutes
  before_script:
    - {FIRST}
variables:
  XDG_CACHE_HOME: $CI_PROJECT_DIR/.cache
style:
  cache: &kept
    key: $CI_JOB_NAME
    paths: [.cache/fastterm/ccache/, .cache/fastterm/src/]
  script:
    - make style
test:
  cache:
    <<: *kept
    key: $ARCH-$VARIANT
  parallel:
    matrix:
{kernels}
  script:
    - make test ARCH=$ARCH VARIANT=$VARIANT
  artifacts:
    when: always
    paths: [out/junit/, out/*/console.log, out/*/results.ktap, out/*/results.json, out/*/config]
    reports:
      junit: out/junit/test.xml
'''


def containerfile():
    """A container in which an ordinary user has all that our commands need."""
    needed = sorted({package for _, package in packages.TOOLS + packages.STYLE + packages.GRAFT + packages.GUESTS} |
                    {'ca-certificates', 'python3'})
    lines = ' \\\n        '.join(needed)
    return f'''{HEAD}#
#   podman build -t fastterm - <cross/ci/Containerfile
#   mkdir -p ~/.cache/fastterm
#   podman run --rm -it --userns=keep-id -v "$PWD":/fastterm -v ~/.cache/fastterm:/cache/fastterm fastterm make demo
#
# With docker, --user "$(id -u):$(id -g)" takes the place of --userns=keep-id.
FROM {IMAGE}
ENV XDG_CACHE_HOME=/cache HOME=/tmp
RUN apt-get update && apt-get install -y --no-install-recommends \\
        {lines}
WORKDIR /fastterm
'''


FILES = {'github.yml': github, 'gitlab.yml': gitlab, 'Containerfile': containerfile}


if __name__ == '__main__':
    for name, text in FILES.items():
        host.write_whole(FOLDER / name, text().encode())
