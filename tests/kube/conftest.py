"""The fixtures of the system tests, and time that can be scaled down: see life()."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from fixtures import *  # noqa: E402, F403
