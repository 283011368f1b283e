"""S50 and S51: a reload that meets the end, and a ConfigMap that is swapped while it is read."""

import json
import threading
import time
from signal import SIGHUP, SIGTERM

from harness import PATIENCE, example, fake, is_alive, servers, wait_until
from http_client import Connection
from mcp_client import call, text_of, unwrap
from reloading import Mount, Reloading, counts, dumps, replace
from scale import dur, life


def drain(r, query=""):
    with Connection(r.s.admin) as c:
        return c.exchange("POST", "/drain" + query).status


def lame_duck(seconds):
    return {"gracePeriod": dur(30), "lameDuck": {"min": dur(seconds), "quiet": "0s", "max": dur(seconds)}}


def test_s50_a_reload_during_the_drain_is_ignored_with_a_line(sluice):
    r = Reloading(sluice, servers(a=fake(), lifecycle=lame_duck(10)))
    with r.s.client() as c:
        r.s.signal(SIGTERM)
        r.s.log.wait("phase", to="lame_duck")
        replace(r.path, dumps(servers(b=fake())))
        r.s.signal(SIGHUP)
        r.s.log.wait("reload_ignored")
        assert c.text("a__echo", {"text": "x"}) == "x"
    assert r.s.wait(30) == 0
    assert not r.s.log.find("reloaded") and r.s.last_line()["elapsed_ms"] < life(30) * 1000


def test_s50_what_was_ignored_during_a_drain_is_applied_when_the_drain_is_called_off(sluice):
    r = Reloading(sluice, servers(a=fake()))
    with r.s.client() as c:
        assert drain(r) == 200
        r.s.log.wait("phase", to="lame_duck")
        replace(r.path, dumps(servers(a=fake(), b=fake())))
        r.s.log.wait("reload_ignored", 10)
        assert drain(r, "?cancel=1") == 200
        r.s.log.wait("reloaded", 10)
        assert c.text("b__echo", {"text": "x"}) == "x"


def test_s50_a_drain_during_a_reload_stops_removed_servers_by_the_same_ladder(sluice):
    """SIGTERM comes while servers that were removed still have calls, or are on their ladder; they ignore all of it."""
    stubborn = {"stop": {"eof": dur(5), "term": dur(5)}}
    lifecycle = {"gracePeriod": dur(40), "lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}
    deaf = dict(ignore_eof=True, ignore_term=True, more=stubborn)
    r = Reloading(sluice, servers(a=fake(), busy=fake(), leaving=fake(**deaf), working=fake(**deaf), lifecycle=lifecycle))
    pids = [b["pid"] for b in r.backends().values()]
    with r.s.client() as c:
        due = c.in_background(call(1, "busy__sleep", {"ms": life(10) * 1000}))
        endless = c.in_background(call(2, "working__sleep", {"ms": 3600000}))
        wait_until(lambda: r.status()["in_flight"] == 2, what="the calls")
        r.reload(servers(a=fake(), lifecycle=lifecycle))
        r.s.signal(SIGTERM)
        code, seconds = r.s.timed_wait(40)
        assert text_of(unwrap(due.join())) == "slept"
        error = endless.join()["error"]["data"]
    assert (error["reason"], error["outcome"], error["backend"]) == ("draining", "unknown", "working")
    assert code == 0 and seconds < life(40) + PATIENCE
    assert r.s.last_line()["elapsed_ms"] < r.s.last_line()["budget_ms"] + 1000 * PATIENCE
    assert not any(map(is_alive, pids))


def test_s50_a_signal_at_any_moment_of_a_reload_ends_in_time_with_0(sluice):
    big = {f"s{i}": example(startup="lazy") for i in range(200)}
    for pause in (0, 0.001, 0.003, 0.01, 0.05):
        r = Reloading(sluice, servers(a=fake()))
        replace(r.path, dumps(servers(b=fake(), **big)))
        r.s.signal(SIGHUP)
        time.sleep(pause)
        r.s.signal(SIGTERM)
        code, seconds = r.s.timed_wait(10)
        assert code == 0 and seconds < 3 * PATIENCE


def test_s51_a_swap_gives_the_old_or_the_new_and_never_a_mixture(sluice, tmp_path):
    """The configuration and a secret of one mount are swapped as fast as can be while they are read again and again:
    every server that is ever started has both of the same version."""
    place = tmp_path / "mount"

    def files(n):
        entry = fake(more={"env": {"SECRET": "${file:%s}" % (place / "secret")}})
        filler = {f"filler{i}": example(startup="lazy", env={"X": "${file:%s}" % (place / "secret")}) for i in range(40)}
        entry["env"]["VERSION"] = f"v{n}"
        return {"servers__json": servers(a=entry, **filler), "secret": f"v{n}"}

    mount = Mount(place, **files(0))
    r = Reloading(sluice, None, path=mount.path("servers.json"))
    stop = threading.Event()

    def swap():
        n = 1
        while not stop.is_set():
            mount.swap(**files(n))
            n += 1
            time.sleep(0.005)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            r.s.signal(SIGHUP)
            time.sleep(0.02)
            with r.s.client() as c:
                seen.add(c.text("a__env"))
    finally:
        stop.set()
        swapper.join()
    mount.swap(**files("last"))
    pairs = {(env["VERSION"], env["SECRET"]) for env in map(json.loads, seen)}
    assert all(a == b for a, b in pairs), pairs
    with r.s.client() as c:
        wait_until(lambda: c.text("a__env", {"name": "VERSION"}) == "vlast", 20, "the last version")
        assert c.text("a__env", {"name": "SECRET"}) == "vlast"


def test_s51_an_invalid_swap_keeps_the_old_one_and_is_counted(sluice, tmp_path):
    mount = Mount(tmp_path / "mount", servers__json=servers(a=fake()))
    r = Reloading(sluice, None, path=mount.path("servers.json"))
    pid = r.pid("a")
    mount.swap(servers__json='{"mcpServers": {"a": ')
    r.s.log.wait("reload_failed", 10)
    assert r.reloads("refused") == 1 and r.pid("a") == pid
    with r.s.client() as c:
        assert int(c.text("a__pid")) == pid
    mount.swap(servers__json=servers(a=fake(), b=fake()))
    assert counts(r.s.log.wait("reloaded", 10)) == (1, 0, 0, 0, 1)
    assert r.reloads("applied") == 1 and r.pid("a") == pid
