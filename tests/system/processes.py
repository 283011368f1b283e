"""What /proc knows of processes, for the harness and for tests/kube/kit. Best effort: they may go while we look."""

import ctypes
import pathlib

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    """Orphans of our descendants then become children of ours, so that each process that was left behind is seen."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def tasks_of(pid):
    try:
        return list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def children_of(pid):
    found = []
    for task in tasks_of(pid):
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass
    return found


def descendants_of(pid):
    found, open_ones = [], [pid]
    while open_ones:
        for child in children_of(open_ones.pop()):
            found.append(child)
            open_ones.append(child)
    return found


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "?"
