"""What a drill came to, as plain data: pods with their phases, balancers with what they knew, every request and stream. And
the figures of it. All times are seconds of life since the drill began.
"""

import collections
import datetime
import json

from . import client as c

PHASES = ("starting", "ready", "lame_duck", "draining", "stopping_backends", "exiting")
LATE = "terminating"  # the phase of a gateway that tells of none, once its pod is deleted


def seconds_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def log_events(pod):
    """The events of a log in JSON; none if the gateway writes another."""
    for line in pod.process.log_text().splitlines():
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                pass


def phases_of(pod, clock, wall):
    """[(when, phase)], by the gateway's own log, else by what the kubelet knows. `wall` is the wall clock at the drill's begin."""
    began, ready, deleted = pod.when("started"), pod.when("ready"), pod.when("deleted")
    told = [
        ((seconds_of(e["ts"]) - wall) / clock.scale, e["to"]) for e in log_events(pod) if e.get("event") == "phase"
    ]
    if told:
        return [(began, "starting"), *told]
    seen = [(began, "starting"), (ready, "ready"), (deleted, LATE)]
    return [(at, phase) for at, phase in seen if at is not None]


def pod_record(pod, clock, wall, left, ports):
    last = next((e for e in log_events(pod) if e.get("event") == "shutdown_complete"), {})
    signalled, exited = pod.when("signalled"), pod.when("exited")
    return {
        "name": pod.name,
        "phases": phases_of(pod, clock, wall),
        "deleted": pod.when("deleted"),
        "ready": pod.when("ready"),
        "signalled": signalled,
        "exited": exited,
        "exit_seconds": None if None in (signalled, exited) else exited - signalled,
        "code": pod.process.exited.result() if pod.process and pod.process.exited.done() else None,
        "killed": pod.times("killed") > 0,
        "left": len(left),
        "ports_left": len(ports),
        "last_line": {k: last[k] for k in ("completed", "aborted", "refused", "late_connections") if k in last},
    }


def request_record(request):
    return {
        "what": request.what,
        "client": request.client,
        "at": request.attempts[0].at,
        "done": request.last.done,
        "ok": request.ok,
        "crossed": request.crossed and not request.ok,
        "told": request.told and not request.ok,
        "attempts": [
            {k: v for k, v in vars(a).items() if v not in (None, False, "")} | {"crossed": a.crossed} for a in request.attempts
        ],
    }


def stream_record(stream):
    return {"client": stream.client, "opened": stream.opened, "ended": stream.ended, "kind": stream.kind or "open", "pod": stream.pod}


def share(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else None


def longest_gap(requests):
    """The longest time for which a client that asked had no answer: from its first try to the next answer that it got, be it to
    a later request."""
    longest, waiting = 0.0, {}
    for r in sorted(requests, key=lambda r: r["at"]):
        since = waiting.pop(r["client"], r["at"])
        if r["ok"]:
            longest = max(longest, r["done"] - since)
        else:
            waiting[r["client"]] = since
    return longest


def most_in_a_second(times):
    """The most of them within any second."""
    most, window = 0, collections.deque()
    for at in sorted(times):
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
    return most


def reopened(streams):
    """When clients opened a stream again."""
    known, times = set(), []
    for s in sorted(streams, key=lambda s: s["opened"]):
        if s["client"] in known:
            times.append(s["opened"])
        known.add(s["client"])
    return times


def late(requests, pods):
    """Requests that were answered by a pod which had been deleted when they were sent."""
    deleted = {p["name"]: p["deleted"] for p in pods if p["deleted"] is not None}
    return sum(r["ok"] and r["attempts"][-1]["at"] > deleted.get(r["attempts"][-1].get("pod"), float("inf")) for r in requests)


def figures(record):
    requests, streams, pods = record["requests"], record["streams"], record["pods"]
    attempts = [a for r in requests for a in r["attempts"]]
    kinds = collections.Counter(a["kind"] for a in attempts if not a["crossed"])
    short, long = ([r for r in requests if (r["what"] == "long") == is_long] for is_long in (False, True))
    ended = [p for p in pods if p["signalled"] is not None]
    exits = [p["exit_seconds"] for p in ended if p["exit_seconds"] is not None]
    waits = [r["done"] - r["at"] for r in short if r["ok"]]
    listeners = [s for s in streams if s["kind"] != "not_offered"]
    return {
        "requests": len(requests),
        "per_second": len(short) / max(1e-9, max((r["done"] for r in short), default=0) - min((r["at"] for r in short), default=0)) / record["scale"],
        "first_try": sum(r["attempts"][0]["kind"] == c.OK for r in requests),
        "lost": sum(not r["ok"] and not r["crossed"] for r in requests),
        "told": sum(r["told"] for r in requests),
        "crossings": sum(a["crossed"] for a in attempts),
        "resets": kinds[c.RESET] + kinds[c.EOF] + kinds[c.TRUNCATED] + sum("unclean" in a for a in attempts),
        "refused": kinds[c.REFUSED],
        "unavailable": kinds[c.UNAVAILABLE],
        "http_errors": kinds[c.HTTP_ERROR],
        "rpc_errors": kinds[c.RPC_ERROR],
        "empty": kinds[c.EMPTY],
        "timeouts": kinds[c.TIMEOUT],
        "wrong": kinds[c.WRONG],
        "late": late(requests, pods),
        "p50": share(waits, 0.5),
        "p99": share(waits, 0.99),
        "gap": longest_gap(short),
        "long_calls": len(long),
        "long_answered": sum(r["ok"] for r in long),
        "listeners": len({s["client"] for s in listeners}),
        "streams_clean": sum(s["kind"] == "clean" for s in listeners),
        "streams_cut": sum(s["kind"] in (c.RESET, c.EOF, c.TRUNCATED, c.TIMEOUT) for s in listeners),
        "streams_reopened": len(reopened(listeners)),
        "reopened_in_a_second": most_in_a_second(reopened(listeners)),
        "pods_ended": len(ended),
        "exit_p50": share(exits, 0.5),
        "exit_p99": share(exits, 0.99),
        "exit_max": max(exits, default=None),
        "killed": sum(p["killed"] for p in ended),
        "bad_codes": sum(p["code"] != 0 for p in ended),
        "left": sum(p["left"] + p["ports_left"] for p in ended),
        "sent_again": sum(b["counters"].get("retries", 0) + b["counters"].get("connect errors", 0) for b in record["balancers"]),
    }
