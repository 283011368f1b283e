"""/status in a browser: Chromium without a screen opens it, with servers and clients of hostile names, while the gateway
serves and while it drains."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import PATIENCE, example, servers, wait_until
from mcp_client import call

HOSTILE = "\u202e<script>document.title='owned'</script><img src=x>'&"  # as long as names are shown
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --window-size=1000,1100 --enable-logging=stderr"
).split()
KEEP = os.environ.get("SLUICE_TEST_SCREENSHOTS")  # a folder that gets them


@pytest.fixture
def scene(sluice):
    """A gateway with a server of each kind of fate, and calls in flight of three clients."""
    lifecycle = {"lameDuck": {"min": "4s", "quiet": "0s", "max": "4s"}}
    config = servers(
        lifecycle=lifecycle,
        github=example(),
        search=example(),
        files=example(startup="required"),
        billing={"command": "/bin/sh", "args": ["-c", "echo 'cannot open <b>billing.db</b>' >&2; exit 3"]},
        jira={"url": "http://127.0.0.1:9/mcp"},
        reports=example(startup="lazy"),
    )
    s = sluice.http(config, admin="127.0.0.1:0")
    clients = [s.raw_client(timeout=60).initialize(name=name) for name in ("claude-code", "inspector", HOSTILE)]
    for _ in range(14):
        clients[0].text("github__echo", {"text": "x"})
    running = [
        client.in_background(call(n, tool, {"ms": 20000}))
        for n, (client, tool) in enumerate(zip(clients, ("search__sleep", "files__sleep", "github__sleep")), 900)
    ]
    wait_until(lambda: s.get("/status", admin=True).json()["in_flight"] == 3)
    wait_until(lambda: sum(b["state"] == "backoff" for b in s.get("/status", admin=True).json()["backends"]) == 2)
    yield s
    s.signal(signal.SIGQUIT)
    s.allow_orphans = True
    for one in running:
        one.thread.join(10 * PATIENCE)


def browse(s, folder, *flags):
    """Opens the page; returns what Chromium prints, and what it complains of."""
    assert BROWSER, "there is no chromium: tools/need browser installs it"
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder}/{time.monotonic_ns()}", *flags, f"http://{s.admin}/status"],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Refused" in line]
    return done.stdout, complaints


def shoot(s, folder, name, *flags):
    path = f"{KEEP or folder}/{name}.png"
    _, complaints = browse(s, folder, f"--screenshot={path}", *flags)
    assert complaints == []
    with open(path, "rb") as f:
        picture = f.read()
    assert picture.startswith(b"\x89PNG") and len(picture) > 20000, "the page is empty"


def text_of(dom):
    return re.sub(r"<[^>]+>", "\n", dom.partition("<main")[2].partition("</main>")[0])


def test_the_page_shows_what_there_is_and_runs_nothing_of_others(scene, tmp_path):
    dom, complaints = browse(scene, tmp_path, "--dump-dom")
    assert complaints == []
    assert "<title>ready · sluice</title>" in dom
    seen = text_of(dom)
    for word in ("github", "search__sleep", "claude-code", "inspector", "backoff", "degraded", "3 of 6 up"):
        assert word in seen, word
    assert dom.count("<img") == 0 and dom.count("<script") == 1 and "<b>billing" not in dom
    assert "&lt;script&gt;document.title='owned'&lt;/script&gt;&lt;img src=x&gt;'&amp;" in seen
    shoot(scene, tmp_path, "ready")
    shoot(scene, tmp_path, "ready-dark", "--blink-settings=preferredColorScheme=0")


def test_the_page_keeps_itself_up_to_date(scene, tmp_path):
    """The time of the browser runs ahead for some seconds: the script has asked again, and put the answer in."""
    before = scene.get("/metrics", admin=True).body.decode()
    dom, complaints = browse(scene, tmp_path, "--virtual-time-budget=5000", "--dump-dom")
    assert complaints == []
    assert '<span id="live">live</span>' in dom
    count = 'sluice_http_requests_total{port="admin"} '
    number = lambda text: int(text.partition(count)[2].partition("\n")[0])  # noqa: E731
    assert number(scene.get("/metrics", admin=True).body.decode()) >= number(before) + 4


def test_the_page_follows_a_drain(scene, tmp_path):
    scene.signal(signal.SIGTERM)
    dom, complaints = browse(scene, tmp_path, "--dump-dom")
    assert complaints == []
    assert "<title>lame_duck · sluice</title>" in dom and "Stopping since SIGTERM" in dom
    shoot(scene, tmp_path, "lame_duck")
    wait_until(lambda: scene.get("/status", admin=True).json()["phase"] == "draining", 10)
    dom, complaints = browse(scene, tmp_path, "--dump-dom")
    assert "<title>draining · sluice</title>" in dom
    assert re.search(r'<li class="?now"?><i class="fill-draining"', dom)
    shoot(scene, tmp_path, "draining")


def test_it_is_complete_without_a_script(scene):
    r = scene.get("/status", [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")], admin=True)
    assert (r.status, r.header("content-type")) == (200, "text/html; charset=utf-8")
    assert len(r.body) < 32768
    assert "search__sleep" in r.body.decode() and "{{" not in r.body.decode()
