"""See fixtures.py, which tests/kube uses too."""

from fixtures import *  # noqa: F403
