"""Fixtures of the system tests and of tests/kube. They need Python's standard library, pytest and pytest-xdist of
Debian 12, no more."""

import faulthandler
import signal

import pytest

import harness


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    harness.become_subreaper()


# A test that hangs in spite of all its deadlines is a fault of the test; it must not hang the run.
TEST_LIMIT = int(60 * harness.PATIENCE)
SLOW_TEST_LIMIT = 15 * TEST_LIMIT


@pytest.fixture(autouse=True)
def time_limit(request):
    limit = SLOW_TEST_LIMIT if request.node.get_closest_marker("slow") else TEST_LIMIT

    def expired(*_):
        faulthandler.dump_traceback()
        raise TimeoutError(f"the test ran for more than {limit} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(limit)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def sluice(tmp_path):
    """Starts Sluice, as often as a test likes; at its end all are stopped and checked."""
    launcher = harness.Launcher(tmp_path)
    try:
        yield launcher
    finally:
        launcher.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway for the tests of a module that leave it as it was: a plain example server, called `ex`."""
    launcher = harness.Launcher(tmp_path_factory.mktemp("shared"))
    try:
        yield launcher.http(harness.servers(ex=harness.example()))
    finally:
        launcher.close()


@pytest.fixture
def client(shared):
    """A fresh session at the shared gateway."""
    with shared.client() as c:
        yield c


@pytest.fixture
def raw(shared):
    """A connection to the shared gateway, for bytes."""
    with shared.connect() as c:
        yield c
