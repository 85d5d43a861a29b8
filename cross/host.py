# SPDX-License-Identifier: GPL-2.0-only
"""The machine we run on: folders, locks, child processes, and how errors are told."""

import concurrent.futures
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
OUT = CHECKOUT / 'out'

# What a user's shell or our own Makefile may carry into a kernel build that is not meant for it.
FOREIGN = re.compile(r'^(MAKE.*|MFLAGS|ARCH|SUBARCH|VARIANT|SUITE|BOOT|KDIR|OBJ|PROG|SECONDS|SITES|JSON|KUNIT|FORMAT|GDB|O|C|W|V|LLVM|LLVM_IAS|CC|LD|AR|NM|HOSTCC|'
                     r'CROSS_COMPILE|KBUILD_.*|KCFLAGS|KCPPFLAGS|KAFLAGS|INSTALL_.*|LOCALVERSION)$')


class Error(Exception):
    """Something the user can act on: one message, no traceback, exit status 1."""


class Expired(Error):
    """What did not end in the time it was given."""


def cache():
    """Folder for everything that outlives a checkout: kernel source, build trees, ccache."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'fastterm'


def user_path(what, text):
    """The path that the user has given as @what."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise Error(f'{what}={text}: {error}') from error


def processors():
    return len(os.sched_getaffinity(0))


def say(text, renewed=False):
    """Progress for people; results alone go to standard output. On a terminal, what is @renewed gives way to what follows."""
    clear = '\r\033[K' if sys.stderr.isatty() else ''
    print(clear + text, end='' if renewed and clear else '\n', file=sys.stderr, flush=True)


def child_env(**extra):
    """The environment of a kernel build: ours without what would change its meaning, in the C locale."""
    env = {k: v for k, v in os.environ.items() if not FOREIGN.match(k)}
    # Depend mode: what is not in the cache is compiled, not preprocessed first, which takes a third as long again.
    env.update(LC_ALL='C', CCACHE_DIR=str(cache() / 'ccache'), CCACHE_MAXSIZE='12G', CCACHE_DEPEND='1',
               KBUILD_BUILD_TIMESTAMP='1970-01-01', KBUILD_BUILD_USER='fastterm', KBUILD_BUILD_HOST='fastterm')
    env.update(extra)
    return env


def git_env(kept=()):
    """An environment for git that names no other repository, and tells it to trace nothing, which would be part of what it
    says. @kept: beginnings of the names of variables of git's that stay."""
    return {k: v for k, v in child_env().items() if not k.startswith('GIT_') or k.startswith(tuple(kept))}


def compiler():
    """What stands before a compiler's name: cross/cc, in a place that is the same for all checkouts, for make compares."""
    path, script = cache() / 'cc', (CHECKOUT / 'cross' / 'cc').read_bytes()
    if not path.exists() or path.read_bytes() != script:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, script)
        path.chmod(0o755)
    return path


# What runs now, and whether it is to end: for those who do not wait for it themselves.
_children, _ending = set(), threading.Event()
# Of each thread: whether its children take only what others leave of the processors.
_thread = threading.local()
# What ends a run: an interrupt, a request, and a terminal that goes.
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _end_all():
    """End all children, and whoever waits for a lock. Who asks once more while that is done does not keep it from being."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDS}
    try:
        _ending.set()
        for proc in list(_children):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(proc.pid, signal.SIGTERM)
        for proc in list(_children):
            _end(proc)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _step_aside(pid):
    """Leave the processors to others: a child, and to the scheduler its session is a group by itself, if it has such."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    for _ in range(5):
        try:
            Path(f'/proc/{pid}/autogroup').write_text('19', encoding='ascii')
            break
        except BlockingIOError:
            time.sleep(0.1)         # so often may users ask for that
        except OSError:
            break


def _end(proc):
    """End a child and everything it started."""
    for sig, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(proc.pid, sig)
        with contextlib.suppress(subprocess.TimeoutExpired):
            proc.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(proc.pid, signal.SIGKILL)


def run(cmd, *, log=None, on_line=None, timeout=None, check=True, what=None, **kwargs):
    """Run a command in a process group of its own and return (exit status, output).

    An interrupt or a timeout ends the whole group, so that nothing is left behind.
    @log: file that receives the output; @on_line: called with each line as it comes.
    @what: names the step in the error that a failure raises when @check is set.
    """
    kwargs.setdefault('env', child_env())
    if _ending.is_set():
        raise Error(f'{what or cmd[0]}: interrupted')
    proc = subprocess.Popen([str(c) for c in cmd], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors='backslashreplace',
                            start_new_session=True, **kwargs)
    expired = threading.Event()

    def expire():
        expired.set()
        _end(proc)

    timer = threading.Timer(timeout, expire) if timeout else None
    lines = []
    _children.add(proc)
    try:
        if getattr(_thread, 'aside', False):
            _step_aside(proc.pid)
        # It may have been begun meanwhile.
        if _ending.is_set():
            _end(proc)
        if timer:
            timer.start()
        with open(log, 'w', encoding='utf-8') if log else contextlib.nullcontext() as sink:
            for line in proc.stdout:
                lines.append(line)
                if sink:
                    sink.write(line)
                if on_line:
                    on_line(line)
        proc.wait()
    finally:
        if timer:
            timer.cancel()
        if proc.poll() is None:
            _end(proc)
        _children.discard(proc)
        proc.stdout.close()
    output = ''.join(lines)
    if expired.is_set():
        raise Expired(f'{what or cmd[0]}: no end after {timeout} s' + _tail(output, log))
    if check and proc.returncode:
        raise Error(f'{what or cmd[0]}: exit status {proc.returncode}' + _tail(output, log))
    return proc.returncode, output


@contextlib.contextmanager
def beside(cmd, log):
    """A command that runs during the block, in a process group of its own, and is ended with it. @log receives what it says."""
    with open(log, 'wb') as sink:
        proc = subprocess.Popen([str(c) for c in cmd], stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                                start_new_session=True, env=child_env())
    _children.add(proc)
    try:
        yield proc
    finally:
        _end(proc)
        _children.discard(proc)


def foreground(cmd):
    """The exit status of a command that has the terminal. An interrupt from there is for the command."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.call([str(c) for c in cmd], env=dict(os.environ))
    finally:
        signal.signal(signal.SIGINT, before)


def output_of(cmd, good=(0,), **kwargs):
    """What a command writes, byte for byte; None if its exit status is none of @good. @kwargs: as of run()."""
    with tempfile.NamedTemporaryFile() as out:
        # By the shell, since run() takes what it reads for text.
        status, _ = run(['sh', '-c', 'out=$1; shift; exec "$@" >"$out" 2>/dev/null', 'sh', out.name, *cmd], check=False,
                        **kwargs)
        return Path(out.name).read_bytes() if status in good else None


@contextlib.contextmanager
def side_by_side(aside=False):
    """A pool with as many threads as there are processors. @aside: what they run takes only what others leave of those.

    An interrupt, or an error that leaves the block, ends what they run; no thread is left.
    """
    pool = concurrent.futures.ThreadPoolExecutor(processors(), initializer=setattr, initargs=(_thread, 'aside', aside))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        _end_all()
        raise
    finally:
        pool.shutdown()
        _ending.clear()


def together(functions):
    """What @functions return, in their order. They run side by side."""
    with side_by_side() as pool:
        yield from pool.map(lambda function: function(), functions)


def _tail(output, log):
    """The lines that say what went wrong, or the last ones where none does."""
    lines = output.splitlines()
    telling = [line for line in lines if re.search(r'\berror\b|ERROR|^Missing: |undefined reference|No space left', line)]
    last = ''.join('\n  ' + line for line in (telling[:15] or lines[-15:]))
    return f'{last}\n  (all of it: {log})' if log else last


def _locked(file):
    """Whether it could be locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


@contextlib.contextmanager
def lock(name):
    """Hold a lock of the cache folder; it goes with the process, however that ends."""
    path = cache() / 'locks' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'a+', encoding='utf-8') as file:
        if not _locked(file):
            file.seek(0)
            say(f'waiting for {file.read().strip() or "another run"} to finish with {name}')
            while not _locked(file):
                if _ending.wait(0.2):
                    raise Error(f'waiting for {name}: interrupted')
        file.truncate(0)
        file.write(f'process {os.getpid()} in {CHECKOUT}')
        file.flush()
        yield


def need_space(folder, gigabytes, what):
    """Refuse to begin what would fill the disk half-way."""
    probe = folder
    while not probe.exists():
        probe = probe.parent
    free = shutil.disk_usage(probe).free / 1e9
    if free < gigabytes:
        raise Error(f'{what} needs about {gigabytes} GB in {folder}, {free:.1f} GB are free: '
                    'free some, or set XDG_CACHE_HOME to a folder with more')


def own_like(path, model):
    """Give @path, which is new, to the owner of @model: in a tree of the user's, root leaves nothing of its own."""
    owner = model.stat()
    if (owner.st_uid, owner.st_gid) != (path.stat().st_uid, path.stat().st_gid):
        with contextlib.suppress(PermissionError):
            os.chown(path, owner.st_uid, owner.st_gid)


def make_folder(path):
    """Make a folder, and those that it is in."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        own_like(path, path.parent)


def write_whole(path, data, folder=None):
    """Write a file so that it is there whole or not at all; hard links to the old one keep the old content.

    Until it is whole it is in @folder, on the same file system; usually in its own.
    """
    mode = path.stat().st_mode if path.exists() else 0o644
    handle, tmp = tempfile.mkstemp(prefix=f'.{path.name}.', dir=folder or path.parent)
    try:
        with open(handle, 'wb') as file:
            file.write(data)
        os.chmod(tmp, mode)
        own_like(Path(tmp), path if path.exists() else path.parent)
        os.replace(tmp, path)
    finally:
        Path(tmp).unlink(missing_ok=True)


class Progress:
    """One line every few seconds while something long runs: on a terminal the line is renewed."""

    def __init__(self, title, every=10):
        self.title, self.count, self.begin = title, 0, time.monotonic()
        self.every = 1 if sys.stderr.isatty() else every
        self.due = self.begin + every

    def step(self, line):
        if not re.match(r'\s+(CC|AS|LD|AR|HOSTCC|HOSTLD|BTF|GEN|CHECK)\b', line):
            return
        self.count += 1
        now = time.monotonic()
        if now >= self.due:
            self.due = now + self.every
            say(self._line(now), renewed=True)

    def done(self):
        say(f'{self._line(time.monotonic())}, done')

    def _line(self, now):
        return f'  {self.title}: {self.count} steps, {now - self.begin:.0f} s'
