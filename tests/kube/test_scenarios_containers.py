"""S38 and S52: in real containers, beside a pause process, and with next to nothing that it may do or write to."""

import os
import pathlib
from signal import SIGKILL, SIGTERM

from containers import engine  # noqa: F401
from harness import EXAMPLE, NO_LAME_DUCK, PATIENCE, children_of, descendants_of, example, is_alive, known_children, servers, wait_until
from scale import dur, life

GRACE = {**NO_LAME_DUCK, "gracePeriod": "30s"}
FIRM = {"startup": "required", "stop": {"eof": dur(2), "term": dur(2)}}


def shell(script):
    """The example server, and what goes on before and after it."""
    return {"command": "/bin/sh", "args": ["-c", script.replace("SERVER", str(EXAMPLE.resolve()))], **FIRM}


LADDER = {
    "good": example(),  # S19
    "slow": shell("SERVER; exec /bin/sleep 1000"),  # S20
    "stubborn": shell('trap "" TERM; SERVER; exec /bin/sleep 1000'),  # S21
    "tree": shell("/usr/bin/setsid /bin/sh -c 'trap \"\" TERM; exec /bin/sleep 1000' & SERVER; exit $?"),  # S22
}


def running(sluice, engine, directory, config, *options, before=()):
    directory.chmod(0o755)
    sluice.write(config, "servers.json")
    command, name = engine.run(directory, *options)
    options = ["--http", "127.0.0.1:0", "--admin", "off", "--config", "/config/servers.json", "--log-format", "json"]
    s = sluice.run("serve", *options, wrap=[*command, *before])
    s.wait_listening(timeout=20).wait_ready(timeout=20)
    s.pid = engine.pid(name)
    known_children.update(set(children_of(os.getpid())))  # conmon
    return s


def status_of(pid, key):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":")[1].split() for line in lines if line.startswith(f"{key}:"))


def check_ladder(s, number=SIGTERM):
    family = wait_until(lambda: (d := descendants_of(s.pid)) and len(d) >= 7 and d, what="the family")
    s.signal(number)
    code, seconds = s.timed_wait(30)
    assert code == 0 and seconds < life(4) + 4 * PATIENCE
    last = s.last_line()
    assert (last["backends_stopped"], last["backends_killed"]) == (3, 1) and last["orphans_reaped"] >= 1
    wait_until(lambda: not any(map(is_alive, family)), 2, "the end of the whole family")


def test_s38_the_ladder_works_with_a_shared_pid_namespace(sluice, engine, tmp_path):  # noqa: F811
    with engine.pod() as (pod, pause):
        s = running(sluice, engine, tmp_path, servers(lifecycle=GRACE, **LADDER), "--pod", pod)
        assert status_of(pause, "NSpid")[-1] == "1" and status_of(s.pid, "NSpid")[-1] != "1"
        check_ladder(s)
        assert is_alive(pause)


def test_s38_nobody_is_left_in_a_shared_pid_namespace_when_the_gateway_is_killed(sluice, engine, tmp_path):  # noqa: F811
    with engine.pod() as (pod, pause):
        s = running(sluice, engine, tmp_path, servers(ex=example(), tree=LADDER["tree"], lifecycle=GRACE), "--pod", pod)
        s.expected_codes, s.allow_orphans = {137}, True
        family = wait_until(lambda: (d := descendants_of(s.pid)) and len(d) >= 4 and d, what="the family")
        s.signal(SIGKILL)
        s.wait()
        wait_until(lambda: not any(map(is_alive, family)), 2, "the end of the whole family")
        assert is_alive(pause)


def test_the_ladder_works_as_pid_1_of_a_container(sluice, engine, tmp_path):  # noqa: F811
    s = running(sluice, engine, tmp_path, servers(lifecycle=GRACE, **LADDER), "--network", "host")
    assert status_of(s.pid, "NSpid")[-1] == "1"
    check_ladder(s)


BARE = ["--read-only", "--read-only-tmpfs=false", "--user", "65532:65532", "--passwd=false", "--cap-drop", "all"]
BARE += ["--security-opt", "no-new-privileges", "--network", "host"]
NO_HOME = ["/bin/sh", "-c", 'unset HOME; exec "$@"', "sh"]


def test_s52_it_serves_and_drains_with_a_read_only_root_and_no_rights_at_all(sluice, engine, tmp_path):  # noqa: F811
    s = running(sluice, engine, tmp_path, servers(lifecycle=GRACE, **LADDER), *BARE, before=NO_HOME)
    assert status_of(s.pid, "Uid")[0] == "65532" and int(status_of(s.pid, "CapBnd")[0], 16) == 0
    assert status_of(s.pid, "Seccomp") == ["2"] and status_of(s.pid, "NoNewPrivs") == ["1"]
    root = pathlib.Path(f"/proc/{s.pid}/root")
    mounts = pathlib.Path(f"/proc/{s.pid}/mountinfo").read_text()
    assert " /tmp " not in mounts and not (root / "etc/passwd").exists()  # a /tmp of the image would be read-only
    with s.client() as c:
        assert c.text("good__echo", {"text": "bare"}) == "bare"
    check_ladder(s)


def test_s52_a_server_that_needs_a_directory_to_write_to_is_named(sluice, engine, tmp_path):  # noqa: F811
    writer = shell("echo x > /cache && SERVER")
    writer["startup"] = "eager"
    s = running(sluice, engine, tmp_path, servers(good=example(), writer=writer, lifecycle=GRACE), *BARE, before=NO_HOME)
    said = s.log.wait("backend_stderr", backend="writer")["line"]
    assert "/cache" in said and "Read-only file system" in said
    reasons = lambda: [e["why"] for e in s.log.find("backend_state", backend="writer", to="backoff")]  # noqa: E731
    wait_until(lambda: any("exited with code" in why and "Read-only file system" in why for why in reasons()), what="the reason")
    assert s.health()["status"] == "degraded" and s.get("/readyz").status == 200
    with s.client() as c:
        assert c.text("good__echo", {"text": "others serve"}) == "others serve"
    assert s.terminate() == 0
