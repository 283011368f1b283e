"""Runs tests/kube/drill, which lives in a network namespace of its own, and gives its records."""

import json
import pathlib
import subprocess
import sys

DRILL = pathlib.Path(__file__).parent.parent / "kube" / "drill"
SCALE = "0.2"  # of the durations: about the least that two busy cores keep up with


def drill(*options, seconds=400, scale=SCALE):
    """The records of the drills that were asked for: what the last line of --json says."""
    command = [sys.executable, str(DRILL), "--json", "--scale", scale, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    print(done.stdout[: done.stdout.rindex("\n[")])
    return json.loads(done.stdout.splitlines()[-1])


def assert_nothing_lost(record):
    """Every request was answered, and every pod ended by itself and left nothing."""
    f = record["figures"]
    assert f["requests"] > 0 and not record["notes"]
    for what in ("lost", "resets", "http_errors", "rpc_errors", "empty", "timeouts", "wrong"):
        assert f[what] == 0, (what, f)
    assert f["streams_cut"] == 0, f
    assert_ended_well(record)


def assert_hardly_refused(record):
    """A balancer that is as late as lameDuck.min, and chose other pods for lameDuck.quiet, may come once too late. It is told so
    politely, and the client's next try is answered."""
    f = record["figures"]
    assert f["refused"] == 0 and f["unavailable"] < f["requests"] / 100, f


def assert_ended_well(record):
    f = record["figures"]
    for what in ("killed", "bad_codes", "left"):
        assert f[what] == 0, (what, f)
