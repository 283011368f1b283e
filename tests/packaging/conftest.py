"""The package that ./dev deb has built, and a machine to install it on."""

import os
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from fixtures import pytest_configure, time_limit  # noqa: E402, F401
from harness import EXAMPLE, ROOT  # noqa: E402
from machine import Machine  # noqa: E402


@pytest.fixture(scope="session")
def package():
    found = sorted((ROOT / "build-deb").glob("sluice_*.deb"))
    assert len(found) == 1, "no package: ./dev deb makes it"
    return found[0]


@pytest.fixture
def machine(tmp_path):
    folder = tmp_path / f"sluice-machine-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    m = Machine(folder)
    try:
        m.put(EXAMPLE, "/usr/local/bin/example-server")
        yield m
    finally:
        m.close()
