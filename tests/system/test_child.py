"""The process of a server: when it runs, and what it inherits (interface.md, section 2; issue 2, item 2)."""

import json
import os
import signal

from harness import clean_env, example, fake, is_alive, servers, wait_until


# idle servers


def test_an_idle_server_is_stopped_and_brought_back(sluice):
    s = sluice.http(servers(ex=example(idleTimeout="400ms")))
    with s.client() as c:
        pid, names = int(c.text("ex__pid")), c.tool_names()
        wait_until(lambda: not is_alive(pid), 3, "the idle server's end")
        health = s.health()
        assert health["backends_connected"] == 1 and health["status"] == "ok", "stopped for idleness counts as up"
        assert c.tool_names() == names
        assert s.get("/readyz").status == 200
        assert int(c.text("ex__pid")) != pid


def test_a_server_with_a_call_in_flight_is_not_idle(sluice):
    s = sluice.http(servers(ex=example(idleTimeout="200ms")))
    with s.client() as c:
        assert c.text("ex__sleep", {"ms": 700}) == "slept"


def test_idle_never_means_never(sluice):
    s = sluice.http(servers(a=example(idleTimeout="never"), b=example(idleTimeout="200ms")))
    with s.client() as c:
        a, b = int(c.text("a__pid")), int(c.text("b__pid"))
        wait_until(lambda: not is_alive(b), 3, "the other's end")
        assert is_alive(a)


def test_a_lazy_server_starts_when_it_is_needed(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(lazy=fake(record=str(record), more={"startup": "lazy"}), ex=example()))
    with s.client() as c:
        assert c.text("ex__echo", {"text": "x"}) == "x"
        assert not record.exists()
        assert c.text("lazy__echo", {"text": "awake"}) == "awake"
        assert record.exists()


def test_a_list_starts_a_lazy_server(sluice):
    s = sluice.http(servers(lazy=fake(tools=["mine"], more={"startup": "lazy"})))
    with s.client() as c:
        assert "lazy__mine" in c.tool_names()


# what the child inherits


def test_the_child_gets_a_clean_environment(sluice):
    env = clean_env(SECRET="s3cret", WANTED="yes", LC_TIME="C", MCP_LOG_LEVEL="info")
    s = sluice.http(servers(f=fake(more={"env": {"MINE": "own", "REF": "${WANTED}"}, "inheritEnv": ["WANTED"]})), env=env)
    with s.client() as c:
        got = json.loads(c.text("f__env"))
    assert got["MINE"] == "own" and got["REF"] == "yes" and got["WANTED"] == "yes" and got["PATH"] == env["PATH"]
    assert got["LC_TIME"] == "C" and got["SLUICE_BACKEND"].startswith("f.")
    assert not {"SECRET", "MCP_LOG_LEVEL"} & set(got)
    allowed = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER", "MINE", "REF", "WANTED", "SLUICE_BACKEND"}
    assert {k for k in got if not k.startswith("LC_")} <= allowed


def test_the_child_has_only_its_three_descriptors(sluice):
    s = sluice.http(servers(a=example(), b=example()))
    with s.client() as c:
        for name in ("a", "b"):
            pid = int(c.text(f"{name}__pid"))
            fds = {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
            assert set(fds) == {0, 1, 2}
            assert all(target.startswith(("pipe:", "socket:")) for target in fds.values()), fds


def test_the_child_is_alone_in_its_session_with_plain_signals(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client() as c:
        pid = int(c.text("ex__pid"))
        assert os.getsid(pid) == os.getpgid(pid) == pid
        status = dict(line.split(":\t") for line in open(f"/proc/{pid}/status") if ":\t" in line)
        assert int(status["SigBlk"], 16) == 0, "nothing blocked"
        assert int(status["SigIgn"], 16) == 0, "nothing ignored, not even SIGPIPE"


def test_the_child_runs_where_it_was_told(sluice, tmp_path):
    (tmp_path / "there").mkdir()
    s = sluice.http(servers(ex=example(cwd=str(tmp_path / "there"))))
    with s.client() as c:
        assert os.readlink(f"/proc/{c.text('ex__pid')}/cwd") == str(tmp_path / "there")


def test_the_child_dies_with_the_gateway(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client() as c:
        pid = int(c.text("ex__pid"))
    s.expected_codes = {-9}
    s.allow_orphans = True
    s.signal(signal.SIGKILL)
    s.wait()
    wait_until(lambda: not is_alive(pid), 2, "the child's end")
