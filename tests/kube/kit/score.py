"""What a drill came to: the ledger of the requests and the end of the pod, as one row of numbers."""

import dataclasses
import json
from dataclasses import dataclass, field

from . import client as c


@dataclass
class Score:
    """`lost`: requests without a result after all attempts; of them `told` got a whole error, `unknown` may have had an
    effect. Then what was met in all attempts. Times are seconds of life. None: does not apply."""

    drill: str = ""
    gateway: str = ""
    requests: int = 0
    first_try: int = 0
    after_retry: int = 0
    lost: int = 0
    told: int = 0
    unknown: int = 0
    refused: int = 0
    reset: int = 0
    eof: int = 0
    truncated: int = 0
    empty: int = 0
    timeouts: int = 0
    wrong: int = 0
    unavailable: int = 0
    http_errors: int = 0
    rpc_errors: int = 0
    sessions_again: int = 0
    unclean: int = 0
    streams: int = 0
    streams_clean: int = 0
    streams_cut: int = 0
    orphans: int | None = None
    ports_left: int | None = None
    exit_code: int | None = None
    exit_seconds: float | None = None
    budget: float | None = None
    killed: bool | None = None
    ready_seconds: float | None = None
    readiness_honest: bool | None = None
    notes: list = field(default_factory=list)

    def count(self, requests, streams=()):
        """Takes a ledger in."""
        attempts = [a for r in requests for a in r.attempts]
        kinds = [a.kind for a in attempts]
        self.requests += len(requests)
        self.first_try += sum(r.ok_at_once for r in requests)
        self.after_retry += sum(r.ok for r in requests)
        self.lost += sum(not r.ok for r in requests)
        self.told += sum(not r.ok and r.told for r in requests)
        self.unknown += sum(not r.ok and r.unknown for r in requests)
        for name, kind in (
            ("refused", c.REFUSED), ("reset", c.RESET), ("eof", c.EOF), ("truncated", c.TRUNCATED),
            ("empty", c.EMPTY), ("timeouts", c.TIMEOUT), ("wrong", c.WRONG), ("unavailable", c.UNAVAILABLE),
            ("http_errors", c.HTTP_ERROR), ("rpc_errors", c.RPC_ERROR), ("sessions_again", c.SESSION),
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + kinds.count(kind))
        self.unclean += sum(a.unclean is not None for a in attempts)
        offered = [s for s in streams if s.kind != "not_offered"]
        self.streams += len(offered)
        self.streams_clean += sum(s.kind == "clean" for s in offered)
        self.streams_cut += sum(s.kind not in ("clean", None) for s in offered)
        return self

    def end_of(self, pod, left=(), ports=()):
        """Takes the end of a pod in."""
        process, signalled, exited = pod.process, pod.when("signalled"), pod.when("exited")
        self.exit_code = process.exited.result() if process.exited.done() else None
        self.killed = pod.times("killed") > 0
        if exited is not None and signalled is not None:
            self.exit_seconds = round(exited - signalled, 3)
        stops = [detail for _, what, detail in pod.events if what == "stop"]
        self.budget = stops[0] if stops else None
        started, ready = pod.when("started"), pod.when("ready")
        if started is not None and ready is not None:
            self.ready_seconds = round(ready - started, 3)
        self.orphans, self.ports_left = len(left), len(ports)
        return self

    def as_dict(self):
        return dataclasses.asdict(self)


def dumps(scores):
    return json.dumps([s.as_dict() for s in scores])


COLUMNS = (
    ("drill", "drill"), ("requests", "asked"), ("first_try", "1st"), ("after_retry", "retry"), ("lost", "lost"),
    ("told", "told"), ("unknown", "unknown"), ("refused", "refused"), ("reset", "reset"), ("eof", "eof"),
    ("truncated", "trunc"), ("empty", "empty"), ("unavailable", "503"), ("http_errors", "5xx"),
    ("rpc_errors", "rpc"), ("sessions_again", "session"), ("streams_clean", "str.ok"),
    ("streams_cut", "str.cut"), ("orphans", "orphans"), ("exit_code", "code"), ("exit_seconds", "exit s"),
    ("budget", "of s"), ("killed", "killed"), ("ready_seconds", "ready s"), ("readiness_honest", "honest"),
)  # fmt: skip


def text_of(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def table(scores):
    """The scores as text, with the legend that one needs to read it."""
    rows = [[title for _, title in COLUMNS], *([text_of(getattr(s, key)) for key, _ in COLUMNS] for s in scores)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))) for row in rows]
    notes = [f"  {s.drill}: {note}" for s in scores for note in s.notes]
    return "\n".join([*lines, *notes])
