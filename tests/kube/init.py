"""What may be pid 1 of a container instead of Sluice. `init.py pause`: reaps whoever is left to it, like the pause
container of a pod. `init.py run COMMAND...`: the same, runs a command, hands SIGTERM on to it and ends as it ends, like
tini."""

import os
import signal
import sys
import time


def reap(child):
    """True when somebody was there to be reaped. Does not come back from the end of `child`."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    if pid and pid == child:
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    return pid != 0


def main():
    child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ) if sys.argv[1] == "run" else None
    signal.signal(signal.SIGTERM, lambda *_: child and os.kill(child, signal.SIGTERM))
    while True:
        if not reap(child):
            time.sleep(0.01)


main()
