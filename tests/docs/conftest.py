"""Tests of what is written: manual pages and docs/, against the program itself."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))

from fixtures import *  # noqa: E402, F403
