"""Where a gateway may run: as the init of a pid namespace, beside a pause container, under another init. All of it with
unshare and nsenter, so that it needs root but no container engine."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
from signal import SIGKILL

import pytest

from harness import BINARY, children_of, descendants_of, known_children, wait_until
from unshare import UNSHARE

INIT = [sys.executable, "-S", "-E", str(pathlib.Path(__file__).with_name("init.py"))]
NAMESPACE = [*UNSHARE, "--pid", "--fork"]  # /proc is still that of the outer one
OWN_PROC = [*NAMESPACE, "--mount-proc"]

PLACES = {
    "plain": [],
    "pid 1": OWN_PROC,
    "pid 1 with a foreign /proc": NAMESPACE,
    "under an init": [*OWN_PROC, *INIT, "run"],
    "under an init with a foreign /proc": [*NAMESPACE, *INIT, "run"],
    "beside pause": None,  # shareProcessNamespace: see pause()
}

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("nsenter"),
    reason="pid namespaces need root, unshare and nsenter",
)


@contextlib.contextmanager
def pause():
    """A pid namespace with a reaper as its init; gives the command that enters it, and the reaper's pid here."""
    outer = subprocess.Popen([*OWN_PROC, *INIT, "pause"], start_new_session=True)
    known_children.add(outer.pid)
    try:
        init = wait_until(lambda: children_of(outer.pid), what="the pause process")[0]
        wait_until(lambda: "init.py" in pathlib.Path(f"/proc/{init}/cmdline").read_text(), what="the pause process")
        yield ["nsenter", "--target", str(init), "--pid", "--mount", "--root"], init
    finally:
        for pid in children_of(outer.pid):
            os.kill(pid, SIGKILL)
        outer.wait(10)
        known_children.discard(outer.pid)


def is_gateway(pid):
    with contextlib.suppress(OSError):
        return os.path.samefile(f"/proc/{pid}/exe", BINARY)


def start(sluice, config, wrap, **options):
    """Sluice over HTTP under the command `wrap`; its `pid` is that of the gateway itself."""
    s = sluice.http(config, wrap=wrap, **options)
    s.allow_strange = wrap[: len(NAMESPACE)] == NAMESPACE and "--mount-proc" not in wrap  # a sanitizer misses its threads
    s.pid = next(filter(is_gateway, [s.process.pid, *descendants_of(s.process.pid)]))
    return s


def init_of(s):
    """The init under which the gateway runs, as it is known here."""
    return children_of(s.process.pid)[0]


@contextlib.contextmanager
def started(sluice, config, place, **options):
    if PLACES[place] is not None:
        yield start(sluice, config, PLACES[place], **options)
        return
    with pause() as (enter, _):
        yield start(sluice, config, enter, **options)
        sluice.close()
