"""Sluice as a command that a client starts: MCP on stdin and stdout, whatever these are. Issue 2, item 4."""

import fcntl
import json
import os
import pty
import select
import signal
import socket
import time
import tty

import pytest

from harness import PATIENCE, example, fake, is_alive, servers, wait_until
from http_client import Closed
from mcp_client import ALL_REVISIONS, McpStdio, call, dumps, initialize_params, notification, request, text_of, unwrap


@pytest.fixture
def front(sluice):
    """Sluice on pipes with an example server, initialized."""
    s = sluice.stdio(servers(ex=example()))
    c = s.stdio_client().initialize()
    c.process = s
    return c


def finish(s, c, code=0):
    s.process.stdin.close()
    c.wait_eof()
    assert s.wait() == code


# what is said


@pytest.mark.parametrize("revision", ALL_REVISIONS)
def test_every_legacy_revision_is_spoken(sluice, revision):
    s = sluice.stdio(servers(ex=example()))
    c = s.stdio_client().initialize(revision)
    assert c.hello["protocolVersion"] == revision
    assert c.text("ex__echo", {"text": "hi"}) == "hi"
    finish(s, c)


def test_lists_calls_and_pings_work(front):
    assert "ex__echo" in front.tool_names()
    assert front.request("ping") == {}
    assert front.text("ex__add", {"a": 2, "b": 3}) == "5"
    assert front.request("resources/list")["resources"][0]["uri"] == "example://text"


@pytest.mark.parametrize("id", ["1", '"a"', '"\\u0061"', "9007199254740993", "-1", '""'])
def test_the_id_comes_back_with_its_very_text(front, id):
    front.send(('{"jsonrpc":"2.0","id":%s,"method":"ping"}' % id).encode())
    wait_until(lambda: front.lines, what="the answer")
    assert ('"id":%s' % id).encode() in front.lines[0]


def test_calls_run_side_by_side(front):
    for n, ms in enumerate((300, 10, 150)):
        front.send(call(n, "ex__sleep", {"ms": ms}))
    assert [front.recv_answer()["id"] for _ in range(3)] == [1, 2, 0]


def test_progress_comes_before_the_answer(front):
    front.call("ex__progress", {"steps": 3, "ms": 5}, token="t")
    progress = [m["params"] for m in front.notifications if m["method"] == "notifications/progress"]
    assert [(p["progressToken"], p["progress"]) for p in progress] == [("t", 1), ("t", 2), ("t", 3)]


def test_a_cancelled_call_gets_no_answer(front):
    front.send(call("x", "ex__sleep", {"ms": 60000}))
    front.send(call("w", "ex__sleep", {"ms": 50}))
    front.notify("notifications/cancelled", {"requestId": "x"})
    front.answer_of("w")
    front.request("ping")
    assert '"x"' not in front.answers


def test_a_changed_list_is_told(front):
    front.call("ex__change")
    told = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    wait_until(lambda: front.request("ping") == {} and told in front.notifications, what="the notification")
    assert "ex__added_1" in front.tool_names()


@pytest.mark.parametrize(
    "line,code",
    [
        (b"nonsense", -32700),
        (b'{"jsonrpc":"2.0","id":1', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\xff"}', -32700),
        (b"[" * 5000, -32700),
        (b"{}", -32600),
        (b"[]", -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","id":2}', -32600),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_line_gets_an_error_and_the_next_is_served(front, line, code):
    front.send(line)
    answer = front.recv_answer()
    assert answer["error"]["code"] == code and answer.get("id", 1) in (1, 2)
    assert front.text("ex__echo", {"text": "next"}) == "next"


@pytest.mark.parametrize("line", [b"", b"   ", b"\r"])
def test_an_empty_line_is_passed_over(front, line):
    front.send(line)
    assert front.request("ping") == {}


def test_a_line_may_end_in_cr_lf_and_come_in_pieces(front):
    data = dumps(request(77, "ping")).encode() + b"\r\n"
    for byte in data:
        front.writer.write(bytes([byte]))
        front.writer.flush()
    assert front.answer_of(77)["result"] == {}


def test_an_answer_or_an_unknown_notification_gets_nothing(front):
    front.send({"jsonrpc": "2.0", "id": 5, "result": {}})
    front.notify("notifications/unheard-of")
    assert front.request("ping") == {}
    assert not front.answers


def test_a_batch_is_served_in_2025_03_26_only(sluice):
    s = sluice.stdio(servers(ex=example()))
    c = s.stdio_client().initialize("2025-03-26")
    c.send([request("a", "ping"), call("b", "ex__echo", {"text": "x"}), notification("notifications/x")])
    found = []
    while len(found) < 2:
        m = c.recv_answer()
        found += m if isinstance(m, list) else [m]
    assert {m["id"] for m in found} == {"a", "b"}
    t = sluice.stdio(servers(ex=example()))
    d = t.stdio_client().initialize("2025-06-18")
    d.send([request("a", "ping")])
    assert d.recv_answer()["error"]["code"] == -32600


def test_a_large_request_and_a_large_answer_pass(front):
    text = "0123456789" * 300_000
    assert front.text("ex__echo", {"text": text}, timeout=15) == text


def test_many_requests_in_one_write_are_all_answered(front):
    lines = b"".join(dumps(call(n, "ex__echo", {"text": str(n)})).encode() + b"\n" for n in range(200))
    front.writer.write(lines)
    front.writer.flush()
    for n in range(200):
        assert text_of(unwrap(front.answer_of(n, 15))) == str(n)


def test_stdout_carries_nothing_but_messages(sluice):
    s = sluice.stdio(servers(f=fake(), ex=example()), "--log-level", "trace")
    c = s.stdio_client().initialize()
    c.call("f__script", {"steps": [{"stderr": "noise\n"}, {"line": "garbage"}, {"answer": "ok"}]})
    s.process.stdin.close()
    c.wait_eof()
    for line in c.lines:
        assert json.loads(line)["jsonrpc"] == "2.0"
    assert s.wait() == 0


# what stdin and stdout may be


def converse(c):
    c.initialize()
    assert c.text("ex__echo", {"text": "é" * 5000}) == "é" * 5000
    assert [c.text("ex__sleep", {"ms": 5}) for _ in range(3)] == ["slept"] * 3


def test_a_pair_of_sockets_will_do(sluice):
    ours, theirs = socket.socketpair()
    with ours:
        s = sluice.stdio(servers(ex=example()), stdin=theirs, stdout=theirs)
        theirs.close()
        c = McpStdio(ours.makefile("rb"), ours.makefile("wb"))
        converse(c)
        ours.shutdown(socket.SHUT_WR)
        c.wait_eof()
        assert s.wait() == 0


def test_a_terminal_will_do(sluice):
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    s = sluice.stdio(servers(ex=example()), stdin=theirs, stdout=theirs)
    os.close(theirs)
    reader = TerminalReader(ours)
    c = McpStdio(reader, os.fdopen(ours, "wb", buffering=0, closefd=False))
    c.initialize()
    assert c.text("ex__echo", {"text": "on a terminal"}) == "on a terminal"
    reader.stopped = True
    c.wait_eof()
    os.close(ours)  # the terminal goes away
    assert s.wait() == 0


class TerminalReader:
    """Lines of a terminal until `stopped`: a read that is under way would keep it open."""

    def __init__(self, fd):
        self.fd, self.stopped = fd, False

    def __iter__(self):
        rest = b""
        while not self.stopped:
            if select.select([self.fd], [], [], 0.02)[0]:
                *lines, rest = (rest + os.read(self.fd, 65536)).split(b"\n")
                yield from (line + b"\n" for line in lines)


def session_text(*messages):
    first = [request(0, "initialize", initialize_params()), notification("notifications/initialized")]
    return b"".join(dumps(m).encode() + b"\n" for m in first + list(messages))


def test_files_will_do(sluice, tmp_path):
    (tmp_path / "in").write_bytes(session_text(call(1, "ex__echo", {"text": "from a file"}), call(2, "ex__sleep", {"ms": 200})))
    with open(tmp_path / "in", "rb") as i, open(tmp_path / "out", "wb") as o:
        s = sluice.stdio(servers(ex=example()), stdin=i, stdout=o)
    assert s.wait() == 0
    answers = {m["id"]: m for m in map(json.loads, (tmp_path / "out").read_text().splitlines()) if "id" in m}
    assert set(answers) == {0, 1, 2} and text_of(answers[1]["result"]) == "from a file"


def test_dev_null_ends_it_at_once(sluice):
    import subprocess

    s = sluice.stdio(servers(ex=example()), stdin=subprocess.DEVNULL)
    assert s.wait() == 0


def test_the_flags_of_shared_descriptors_stay_as_they_were(sluice):
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    before = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (in_read, out_write)]
    s = sluice.stdio(servers(ex=example()), stdin=in_read, stdout=out_write)
    c = McpStdio(os.fdopen(out_read, "rb"), os.fdopen(in_write, "wb"))
    converse(c)
    while_running = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (in_read, out_write)]
    c.writer.close()
    assert s.wait() == 0
    after = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (in_read, out_write)]
    os.close(in_read), os.close(out_write)
    assert while_running == before and after == before


def test_the_servers_never_get_our_stdin(front):
    pid = int(front.text("ex__pid"))
    ours = os.readlink(f"/proc/{front.process.pid}/fd/0")
    assert ours not in [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]


def test_a_reader_that_rests_loses_nothing(sluice):
    s = sluice.stdio(servers(ex=example()))
    s.process.stdin.write(session_text(*(call(n, "ex__big", {"bytes": 400_000}) for n in range(1, 9))))
    s.process.stdin.flush()
    time.sleep(0.5)  # nobody reads
    c = s.stdio_client()
    for n in range(9):
        assert "result" in c.answer_of(n, 10)
    finish(s, c)


# the end


def test_eof_with_nothing_in_flight_ends_it_quickly(front):
    start = time.monotonic()
    finish(front.process, front)
    assert time.monotonic() - start < 1.5 * PATIENCE
    last = front.process.last_line()
    assert last["reason"] == "stdin_eof" and last["exit_code"] == 0 and last["backends_killed"] == 0


def test_eof_closes_every_servers_stdin_at_once(sluice, tmp_path):
    records = [tmp_path / "a", tmp_path / "b"]
    s = sluice.stdio(servers(a=fake(record=str(records[0])), b=fake(record=str(records[1]))))
    c = s.stdio_client().initialize()
    assert "b__echo" in c.tool_names()
    start = time.monotonic()
    finish(s, c)
    for r in records:
        lines = r.read_text().splitlines()
        assert lines[-1].endswith("EOF"), "no signal was needed"
        assert float(lines[-1].split()[0]) - start < 0.5 * PATIENCE


def test_answers_that_are_due_are_written_before_the_end(front):
    front.send(call("a", "ex__sleep", {"ms": 400}))
    front.send(call("b", "ex__big", {"bytes": 2_000_000}))
    front.process.process.stdin.close()
    assert text_of(unwrap(front.answer_of("a"))) == "slept"
    assert len(text_of(unwrap(front.answer_of("b")))) == 2_000_000
    assert front.process.wait() == 0
    assert front.process.last_line()["completed"] >= 1


def test_a_last_request_without_a_line_feed_does_no_harm(front):
    front.writer.write(dumps(request(5, "ping")).encode())
    front.writer.flush()
    finish(front.process, front)


@pytest.mark.parametrize("knobs", [{"ignore_term": True, "ignore_eof": True}, {"ignore_eof": True}])
def test_sigterm_after_eof_is_the_second_signal(sluice, knobs):
    """Official clients close stdin, send SIGTERM after 2 s and SIGKILL 2 s later: we must be gone by then."""
    s = sluice.stdio(servers(f=fake(knobs), top={"lifecycle": {}}))
    c = s.stdio_client().initialize()
    c.send(call(1, "f__sleep", {"ms": 60000}))
    pid = int(c.text("f__pid"))
    s.process.stdin.close()
    time.sleep(0.2)
    start = time.monotonic()
    s.signal(signal.SIGTERM)
    error = c.answer_of(1)["error"]
    assert error["data"]["reason"] == "draining" and error["data"]["outcome"] == "unknown"
    assert s.wait() == 0
    assert time.monotonic() - start < 1.9 * PATIENCE
    assert not is_alive(pid)
    assert s.last_line()["forced"] is True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_alone_ends_it_too(front, number):
    front.process.signal(number)
    assert front.process.wait() == 0
    assert front.process.last_line()["reason"] == signal.Signals(number).name


def test_there_is_no_lame_duck_for_a_single_client(sluice):
    """It would kill us two seconds after its SIGTERM. A reload changes nothing about that."""
    s = sluice.stdio(servers(ex=example(), lifecycle={}))
    s.stdio_client().initialize()
    sluice.write(servers(ex=example(), lifecycle={"lameDuck": {"min": "8s", "max": "9s"}}), "servers-1.json")
    s.signal(signal.SIGHUP)
    s.log.wait("reloaded")
    s.signal(signal.SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 1.8 * PATIENCE


def test_a_client_that_closes_our_stdout_does_not_kill_us(sluice):
    s = sluice.stdio(servers(ex=example()))
    s.process.stdin.write(session_text())
    s.process.stdin.flush()
    s.process.stdout.readline()
    s.process.stdout.close()
    try:
        s.process.stdin.write(dumps(call(1, "ex__echo", {"text": "x"})).encode() + b"\n")
        s.process.stdin.flush()
        time.sleep(0.1)
        s.process.stdin.close()
    except BrokenPipeError:
        pass
    assert s.wait() == 0, "not killed by SIGPIPE"


def test_a_missing_stdin_or_stdout_is_an_end_of_input(sluice):
    import subprocess

    s = sluice.stdio(servers(ex=example()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert s.wait() == 0


def test_nothing_more_comes_after_the_last_answer(front):
    front.process.process.stdin.close()
    with pytest.raises(Closed):
        while True:
            front.recv()
    assert front.process.wait() == 0
