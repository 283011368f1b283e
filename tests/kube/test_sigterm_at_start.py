"""S34: SIGTERM in the first milliseconds. sigterm_at_start.py is the same as a tool, with more tries and a table."""

import pathlib

import pytest
import sigterm_at_start
from harness import BINARY, ROOT

TRIES = 100
STATIC = ROOT / "build-static" / "sluice"


@pytest.mark.parametrize("as_pid_1", [True, False], ids=["pid_1", "child"])
@pytest.mark.parametrize("program", [BINARY, STATIC], ids=["dynamic", "static"])
def test_s34_no_sigterm_is_lost_once_main_has_begun(program, as_pid_1):
    if not pathlib.Path(program).exists():
        pytest.skip(f"{program} is not there: ./dev build --static")
    if as_pid_1 and not sigterm_at_start.can_be_pid_1():
        pytest.skip("this machine lets us make no pid namespaces")
    series = sigterm_at_start.run(program, as_pid_1, TRIES)
    print(sigterm_at_start.HEAD, sigterm_at_start.row(series), sep="\n")
    assert series.faults == []
    assert series.in_time + len(series.lost) == series.tries == TRIES
    assert len(series.blocked_ms) == TRIES // 10
