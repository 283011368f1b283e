"""The fixtures of the system tests; the images, which are built once; and a network that nobody else is in."""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "system"))
sys.path.insert(0, str(HERE))

import pytest  # noqa: E402
from fixtures import *  # noqa: E402, F403

import podman  # noqa: E402


@pytest.fixture(scope="session")
def engine():
    """Podman on runc, with a store of its own."""
    if os.geteuid() != 0:
        pytest.skip("images are built and run as root here")
    with podman.engine() as made:
        yield made


@pytest.fixture(scope="session")
def image(engine):
    return engine.build_image()


@pytest.fixture(scope="session")
def runners(engine, image):
    return engine.build_runners()


@pytest.fixture(scope="session")
def servers_image(engine, runners):
    return engine.build_example()


@pytest.fixture
def alone(image):
    """The test, and all that it starts, are in a network that consists of 127.0.0.0/8: every port is free, and nothing
    can be fetched. Images are built before."""
    with podman.network_of_its_own():
        yield


@pytest.fixture
def containers(engine, alone):
    """Starts containers; at the end of the test they are gone."""
    yield engine
    engine.remove_all()
