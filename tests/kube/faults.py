"""The real program with faults that come when told: see faults.c."""

import os
import signal

import pytest

from harness import BINARY, clean_env

LIBRARY = BINARY.parent / "tests" / "kube" / "faults.so"
BUSY, FULL_PIPE, STALL, CLOCK_FORWARD, CLOCK_BACK = (signal.SIGRTMIN + n for n in range(1, 6))


def with_faults():
    """The environment that preloads them."""
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY} is not built")
    asan = os.environ.get("ASAN_OPTIONS", "")
    return clean_env(LD_PRELOAD=str(LIBRARY), ASAN_OPTIONS=f"{asan}:verify_asan_link_order=0")


def hang(s, how):
    """Main hangs from now on, in the callback of the listener."""
    s.signal(how)
    s.connect().close()
