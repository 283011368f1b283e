"""What is tested here with programs of others, which tools/need fetches: a browser, and Prometheus's promtool."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))

from fixtures import *  # noqa: E402, F403
