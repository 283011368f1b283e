"""/status: as JSON for programs and as a page for people, of the same moment. In a browser: tests/status."""

import base64
import hashlib
import html
import re
from signal import SIGTERM

import pytest

from harness import PATIENCE, example, servers, wait_until
from mcp_client import call
from modern_client import ModernHttp, modern

PAGE = [("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")]
HOSTILE = "<b onclick=x>\"'&</main>"
LAME_DUCK = {"lameDuck": {"min": "500ms", "quiet": "0s", "max": "500ms"}}


def status(s):
    r = s.get("/status", admin=True)
    assert (r.status, r.header("content-type")) == (200, "application/json")
    return r.json()


def page(s):
    r = s.get("/status", PAGE, admin=True)
    assert (r.status, r.header("content-type")) == (200, "text/html; charset=utf-8")
    return r


def rows(text, title):
    """The cells of a section's table, as a person reads them."""
    section = next(part for part in text.split("<section>") if f"<h2>{title}" in part)
    return [
        [html.unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.split(r"<td[^>]*>", row)[1:]]
        for row in section.partition("</section>")[0].split("<tr>")[2:]
    ]


def test_calls_in_flight_have_a_tool_a_server_a_client_and_an_age(sluice):
    s = sluice.http(servers(a=example(), b=example(startup="lazy")), admin="127.0.0.1:0")
    with s.raw_client().initialize(name=HOSTILE) as c:
        c.text("a__echo", {"text": "x"})
        one = c.in_background(call(1, "a__sleep", {"ms": 1500}))
        wait_until(lambda: status(s)["in_flight"] == 1)
        two = c.in_background(call(2, "b__sleep", {"ms": 1500}))
        wait_until(lambda: status(s)["in_flight"] == 2)
        now, shown = status(s), page(s).body.decode()
        one.join(), two.join()
    assert [(v["method"], v["name"], v["backend"], v["client"]) for v in now["calls_in_flight"]] == [
        ("tools/call", "a__sleep", "a", HOSTILE),
        ("tools/call", "b__sleep", "b", HOSTILE),
    ]
    ages = [v["age_ms"] for v in now["calls_in_flight"]]
    assert 10000 * PATIENCE > ages[0] >= ages[1] >= 0
    assert [cells[:3] for cells in rows(shown, "Calls in flight")] == [[n, n[0], HOSTILE] for n in ("a__sleep", "b__sleep")]
    (session,) = now["session_list"]
    assert (session["client"], session["revision"], session["calls"]) == (HOSTILE, "2025-11-25", 2)
    assert now["sessions"] == 1 and rows(shown, "Sessions")[0][0] == HOSTILE
    a, b = now["backends"]
    assert (a["name"], a["state"], a["startup"], a["transport"], a["calls"]) == ("a", "ready", "eager", "stdio", 1)
    assert b["startup"] == "lazy"
    assert status(s)["calls_in_flight"] == []


def test_a_modern_client_is_known_by_what_it_says_with_the_call(sluice):
    s = sluice.http(servers(a=example()), admin="127.0.0.1:0")
    with ModernHttp(s.address) as c:
        c.send(modern(1, "tools/call", {"name": "a__sleep", "arguments": {"ms": 800}}, clientInfo={"name": HOSTILE}))
        wait_until(lambda: status(s)["in_flight"] == 1)
        (shown,) = status(s)["calls_in_flight"]
        wait_until(lambda: status(s)["in_flight"] == 0)
    assert (shown["name"], shown["client"]) == ("a__sleep", HOSTILE)


def test_very_long_names_do_not_make_long_pages(sluice):
    s = sluice.http(servers(a=example()), admin="127.0.0.1:0")
    with s.raw_client().initialize(name="n" * 100000) as c:
        slow = c.in_background(call(1, "a__sleep", {"ms": 800}))
        wait_until(lambda: status(s)["in_flight"] == 1)
        size = len(page(s).body)
        slow.join()
    assert size < 20000


def test_of_many_sessions_and_calls_so_many_are_shown(sluice):
    s = sluice.http(servers(a=example()), admin="127.0.0.1:0")
    clients = [s.client() for _ in range(103)]
    now = status(s)
    assert now["sessions"] == 103 and len(now["session_list"]) == 100
    assert "100 of 103" in page(s).body.decode()
    for c in clients:
        c.close()


def test_the_policy_allows_the_page_its_own_style_and_script_and_nothing_else(sluice):
    r = page(sluice.http(servers(a=example()), admin="127.0.0.1:0"))
    text, policy = r.body.decode(), dict(
        part.strip().split(" ", 1) for part in r.header("content-security-policy").split(";")
    )
    for kind, directive in (("style", "style-src"), ("script", "script-src")):
        (body,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert policy.pop(directive) == f"'sha256-{digest}'"
    assert policy.pop("connect-src") == "'self'" and policy.pop("img-src") == "data:"
    assert policy.pop("default-src") == "'none'" and set(policy.values()) == {"'none'"}
    assert " style=" not in text and not re.search(r"\son\w+=", text)
    assert not re.search(r"(src|href)=\"(?!data:,|metrics)", text), "something from elsewhere"
    assert r.header("x-content-type-options") == "nosniff" and r.header("cache-control") == "no-store"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/html", "application/json"),
        ("text/html", "text/html; charset=utf-8"),
        ("TEXT/HTML;q=0.9, */*", "text/html; charset=utf-8"),
    ],
)
def test_who_asks_for_html_gets_it(shared_admin, accept, kind):
    r = shared_admin.get("/status", [("Accept", accept)] if accept else [], admin=True)
    assert r.header("content-type") == kind


@pytest.fixture(scope="module")
def shared_admin(tmp_path_factory):
    from harness import Launcher

    launcher = Launcher(tmp_path_factory.mktemp("shared"))
    try:
        yield launcher.http(servers(a=example()), admin="127.0.0.1:0")
    finally:
        launcher.close()


def test_the_timeline_is_a_plan_and_then_what_became_of_it(sluice):
    s = sluice.http(servers(lifecycle=LAME_DUCK, a=example()), admin="127.0.0.1:0")
    plan = status(s)["shutdown"]
    assert plan["begun"] is False and "elapsed_ms" not in plan and plan["killed_ms"] == 30000
    assert [p["state"] for p in plan["phases"]] == ["planned"] * 4
    assert [p["phase"] for p in plan["phases"]] == ["lame_duck", "draining", "stopping_backends", "exiting"]
    assert all(a["to_ms"] == b["from_ms"] for a, b in zip(plan["phases"], plan["phases"][1:]))
    assert plan["phases"][0]["to_ms"] == 500 and plan["phases"][-1]["to_ms"] == 30000
    with s.client() as c:
        slow = c.in_background(call(1, "a__sleep", {"ms": 2500}))
        wait_until(lambda: status(s)["in_flight"] == 1)
        s.signal(SIGTERM)
        wait_until(lambda: status(s)["phase"] == "draining")
        now = status(s)
        assert "Stopping since SIGTERM" in page(s).body.decode()
        slow.join()
    shutdown = now["shutdown"]
    assert shutdown["begun"] and shutdown["reason"] == "SIGTERM"
    assert [p["state"] for p in shutdown["phases"]] == ["over", "now", "planned", "planned"]
    lame_duck, draining = shutdown["phases"][:2]
    assert 500 <= lame_duck["to_ms"] == draining["from_ms"] <= shutdown["elapsed_ms"] < draining["to_ms"]
    assert s.wait() == 0


def test_a_drain_and_back(sluice):
    s = sluice.http(servers(lifecycle=LAME_DUCK, a=example()), admin="127.0.0.1:0")
    headers = [("Sluice-Drain", "1")]
    s.get("/drain?hook=1", headers, admin=True)
    held = status(s)
    assert held["phase"] == "lame_duck" and held["shutdown"]["begun"] and "reason" not in held["shutdown"]
    assert "the preStop hook" in page(s).body.decode()
    s.get("/drain?cancel=1", headers, admin=True)
    back = status(s)
    assert back["phase"] == "ready" and not back["shutdown"]["begun"]
    assert [p["state"] for p in back["shutdown"]["phases"]] == ["planned"] * 4


def test_in_stdio_mode_too(sluice):
    s = sluice.stdio(servers(a=example()), "--admin", "127.0.0.1:0")
    s.admin = s.log.wait("admin_listening")["address"]
    s.stdio_client().initialize()
    assert status(s)["sessions"] == 1
    assert rows(page(s).body.decode(), "Servers")[0][0].startswith("a")
