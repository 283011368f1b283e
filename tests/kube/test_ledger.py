"""The ledger: every accepted call ends in exactly one of its ends, and the clients, the metrics and the last line agree
on how many there were of each, whatever goes on while the gateway drains."""

import collections
import contextlib
import re
import threading
import time
from signal import SIGQUIT, SIGTERM

from harness import PATIENCE, example, fake, servers, wait_until
from http_client import Closed
from mcp_client import call, dumps, notification
from scale import dur

ADMIN = "127.0.0.1:0"
STOP = {"eof": "200ms", "term": "300ms"}


def metrics(s):
    """{name, or (name, label's value): number}"""
    found = {}
    for line in s.get("/metrics", admin=True).body.decode().splitlines():
        if m := re.fullmatch(r'sluice_(\w+)(?:\{\w+="([^"]*)"\})? (\d+)', line):
            found[(m[1], m[2]) if m[2] is not None else m[1]] = int(m[3])
    return found


def ends(found):
    return {label: n for (name, label), n in ((k, n) for k, n in found.items() if isinstance(k, tuple)) if name == "calls_total" and n}


class Client(threading.Thread):
    """Calls without pause, each of its own kind; how each ended, in its own words, is counted in `seen`."""

    KINDS = (
        ("ex__echo", {"text": "x"}),
        ("ex__sleep", {"ms": 30}),
        ("g__sleep", {"ms": 60000}),  # cut at STOP, or cancelled
        ("f__script", {"steps": [{"exit": 3}]}),
        ("f__no_such_tool", {}),
        ("nobody__tool", {}),
        ("f__script", {"steps": [{"line": '{"jsonrpc":"2.0","id":$ID}'}]}),  # a bad answer
    )

    def __init__(self, s, n, over):
        super().__init__(daemon=True)
        self.mcp, self.n, self.over = s.client(timeout=40 * PATIENCE), n, over
        self.seen, self.fault = collections.Counter(result=1), None  # initialize is in the ledger too

    def run(self):
        try:
            with self.mcp:
                for i in range(100000):
                    if self.over.is_set():
                        return
                    self.once(i)
        except (OSError, Closed):
            return  # the listeners are closed: nothing was accepted
        except (Exception, AssertionError) as e:
            self.fault = e

    def once(self, i):
        tool, arguments = self.KINDS[(self.n + i) % len(self.KINDS)]
        id = f"{self.n}.{i}"
        if tool == "g__sleep" and self.n % 4:
            threading.Timer(0.2, self.cancel, (self.mcp.fork(), id)).start()
        r = self.mcp.post(call(id, tool, arguments))
        answer = r.json()
        assert answer["id"] == id and r.status in (200, 503) and r.body.endswith(b"}"), r
        if "result" in answer:
            self.seen["result"] += 1
        else:
            data = answer["error"].get("data") or {}
            self.seen["refused" if r.status == 503 else data.get("reason", "error")] += 1
        if r.status == 503:
            time.sleep(0.02)

    @staticmethod
    def cancel(mcp, id):
        with contextlib.suppress(OSError, Closed, AssertionError), mcp:
            mcp.post(dumps(notification("notifications/cancelled", {"requestId": id})))


def last_metrics(s):
    """As they were when the last call had ended and the servers were still stopping."""
    found = {}

    def stopping():
        found.update(metrics(s))
        return found[("phase", "stopping_backends")] and found["calls_in_flight"] == 0

    wait_until(stopping, 30, "the end of the last call")
    return found


def test_every_accepted_call_ends_once_and_all_count_alike_over_a_stormy_drain(sluice):
    lame_duck = {"min": dur(8), "quiet": dur(2), "max": dur(15)}
    stubborn = fake(ignore_eof=True, ignore_term=True, more={"stop": {"eof": "700ms", "term": "700ms"}})  # time to look
    config = servers(
        ex=example(stop=STOP), f=fake(more={"stop": STOP}), g=fake(more={"stop": STOP}), last=stubborn,
        lifecycle={"gracePeriod": "7s", "margin": "500ms", "lameDuck": lame_duck},
    )
    s = sluice.http(config, admin=ADMIN)
    over = threading.Event()
    clients = [Client(s, n, over) for n in range(14)]
    for c in clients:
        c.start()
    time.sleep(1)
    before = metrics(s)
    s.signal(SIGTERM)
    after = last_metrics(s)
    assert s.wait(20) == 0
    over.set()
    for c in clients:
        c.join(10 * PATIENCE)
        assert not c.is_alive() and c.fault is None, c.fault
    seen = sum((c.seen for c in clients), collections.Counter())
    refused = seen.pop("refused", 0)
    accepted, ended = after["calls_accepted_total"], collections.Counter(ends(after))
    assert accepted > 100 and accepted == sum(ended.values()), ended
    assert {"result", "error", "draining", "cancelled"} <= set(ended), "the storm had something of everything"
    ended["error"] += ended.pop("invalid", 0)  # to a client one is like the other
    assert seen == ended, "what the clients heard is what was counted"

    last = s.last_line()
    assert last["aborted"] >= 1 and last["completed"] >= 1 and last["refused"] >= refused > 0
    # `before` was read a moment before the signal: what ended in between is not in the last line
    since = accepted - sum(ends(before).values())
    assert last["completed"] + last["aborted"] + last["refused"] - refused <= since
    assert last["aborted"] <= after[("calls_cut_total", "unknown")] - before[("calls_cut_total", "unknown")]


def test_calls_that_the_third_signal_cuts_are_in_the_last_line(sluice):
    s = sluice.http(servers(ex=example(), f=fake(), lifecycle={}), admin=ADMIN)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(s.client()) for _ in range(5)]
        pending = [c.in_background(call("long", "f__sleep", {"ms": 60000})) for c in clients]
        wait_until(lambda: s.health()["in_flight"] == 5, what="the calls")
        s.signal(SIGQUIT)
        assert s.wait() == 0
        for p in pending:
            with contextlib.suppress(OSError, Closed, AssertionError, KeyError):
                assert p.join()["error"]["data"]["reason"] == "draining"
    assert (s.last_line()["aborted"], s.last_line()["completed"], s.last_line()["refused"]) == (5, 0, 0)


def test_late_connections_are_in_the_metrics_and_after_a_drain_only_those_after_the_signal_in_the_last_line(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "1s", "quiet": "0s", "max": "1s"}}), admin=ADMIN)
    assert metrics(s)["late_connections_total"] == 0
    with s.connect() as c:
        c.exchange("GET", "/livez")
    assert sluice.output("drain", "--admin", s.admin)[0] == 0
    for _ in range(3):
        s.get("/livez")
    assert metrics(s)["late_connections_total"] == 3
    s.signal(SIGTERM)
    s.log.wait("shutdown_started")
    s.get("/livez")
    assert s.wait() == 0
    assert s.last_line()["late_connections"] == 1
