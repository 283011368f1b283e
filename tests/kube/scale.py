"""Time in these tests. A scenario is written with the durations of real life; SLUICE_TIME_SCALE says how much of them
passes: a tenth in `./dev test`, all of it in `./dev test all`."""

import os

SCALE = float(os.environ.get("SLUICE_TIME_SCALE", "0.1"))


def life(seconds):
    """Seconds of real life, as seconds of this run."""
    return seconds * SCALE


def dur(seconds):
    """The same as a duration for the configuration or the command line."""
    return f"{round(seconds * SCALE * 1000)}ms"
