"""Servers over pipes, and all that they may do wrong: issue 2, item 2."""

import json
import os
import signal
import time

import pytest

from harness import PATIENCE, example, fake, kill_and_wait, servers, wait_until
from mcp_client import ALL_REVISIONS, RpcError, call, unwrap


def script(*steps):
    return {"steps": list(steps)}


def received(client, name="f"):
    return [json.loads(line) for line in json.loads(client.text(f"{name}__received"))]


def error_of(background):
    answer = background.join()
    assert "error" in answer, answer
    return answer["error"]


@pytest.fixture
def one(sluice):
    """A gateway with one fake server `f` and a client."""
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        c.gateway = s
        yield c


# the handshake


@pytest.mark.parametrize("revision", ALL_REVISIONS)
def test_a_server_of_any_legacy_revision_is_accepted(sluice, revision):
    s = sluice.http(servers(f=fake(revision=revision)))
    with s.client() as c:
        seen = received(c)
        assert seen[0]["method"] == "initialize" and seen[0]["params"]["protocolVersion"] == "2025-11-25"
        assert seen[1]["method"] == "notifications/initialized"
        assert {m["method"] for m in seen[2:] if "method" in m} >= {"tools/list"}
        assert c.text("f__echo", {"text": "x"}) == "x"


def test_an_example_server_of_the_oldest_revision_works(sluice):
    s = sluice.http(servers(ex=example("--revision", "2024-11-05")))
    with s.client() as c:
        assert c.text("ex__add", {"a": 1, "b": 1}) == "2"


BROKEN_STARTS = {
    "never answers initialize": {"dumb": True},
    "refuses the revision": {"refuse": ["2025-11-25"]},
    "answers an error": {"init_error": {"code": -32603, "message": "not today", "data": {"x": 1}}},
    "answers a revision nobody knows": {"revision": "1999-01-01"},
    "dies at initialize": {"die_on": {"initialize": 3}},
    "dies at tools/list": {"die_on": {"tools/list": 3}},
    "exits at once": {"before": [{"exit": 0}]},
    "closes its output": {"before": [{"close": "stdout"}]},
    "is killed": {"before": [{"kill": int(signal.SIGKILL)}]},
}


@pytest.mark.parametrize("what", BROKEN_STARTS)
def test_a_server_that_does_not_start_hides_no_other(sluice, what):
    broken = fake(BROKEN_STARTS[what], {"startupTimeout": "400ms"})
    s = sluice.http(servers(bad=broken, ex=example()), ready=False)
    with s.client() as c:
        assert c.text("ex__echo", {"text": "well"}) == "well"
        assert all(name.startswith("ex__") for name in c.tool_names())
        with pytest.raises(RpcError) as e:
            c.call("bad__echo", {"text": "x"}, timeout=15)
        assert e.value.code == -32603 and e.value.data["outcome"] == "not_sent" and e.value.data["retryable"] is True
        assert e.value.data["reason"] in ("backend_unavailable", "backend_timeout") and e.value.data["backend"] == "bad"
    s.wait_ready()


@pytest.mark.parametrize("command", ["/does/not/exist", "no-such-command-anywhere", "/etc/passwd", "/"])
def test_a_command_that_cannot_be_run_is_told_and_hides_no_other(sluice, command):
    s = sluice.http(servers(bad={"command": command}, ex=example()))
    with s.client() as c:
        assert c.text("ex__echo", {"text": "well"}) == "well"
    assert any("bad" in json.dumps(e) for e in s.log.events if e["level"] in ("warn", "error"))


def test_a_call_waits_for_a_server_that_is_slow_to_start(sluice):
    s = sluice.http(servers(slow=example("--slow-start", 700), ex=example()), ready=False)
    with s.client() as c:
        assert c.text("slow__echo", {"text": "at last"}) == "at last"


def test_a_list_waits_for_servers_that_were_not_tried_yet(sluice):
    s = sluice.http(servers(slow=example("--slow-start", 700), ex=example()), ready=False)
    with s.client() as c:
        assert "slow__echo" in c.tool_names()


def test_initialize_and_ping_wait_for_nobody(sluice):
    s = sluice.http(servers(slow=fake(dumb=True)), ready=False)
    start = time.monotonic()
    with s.client() as c:
        c.request("ping")
    assert time.monotonic() - start < 1 * PATIENCE


def test_starts_that_fail_are_tried_again(sluice, tmp_path):
    s = sluice.http(servers(f=fake(fail_starts=2, counter=str(tmp_path / "count"))), ready=False)
    with s.client() as c:
        assert c.text("f__echo", {"text": "third time"}) == "third time"
    assert (tmp_path / "count").read_text() == "..."


def test_after_five_failed_starts_calls_fail_at_once(sluice, tmp_path):
    s = sluice.http(servers(f=fake(fail_starts=6, counter=str(tmp_path / "count"))), ready=False)
    count = lambda: len((tmp_path / "count").read_text()) if (tmp_path / "count").exists() else 0
    wait_until(lambda: count() >= 5, 8, "five starts")
    with s.client() as c:
        start = time.monotonic()

        def refused():
            try:
                c.call("f__echo", {"text": "x"})
            except RpcError as e:
                return e

        e = wait_until(refused, 2, "a refusal")
        assert time.monotonic() - start < 1.5 * PATIENCE
        assert (e.data["reason"], e.data["outcome"]) == ("backend_unavailable", "not_sent")
        wait_until(lambda: count() >= 7, 15, "the start that works")
        wait_until(lambda: s.health()["backends_connected"] == 1, what="the server up")
        assert c.text("f__echo", {"text": "back"}) == "back"


def test_all_pages_of_a_list_are_fetched(sluice):
    s = sluice.http(servers(f=fake(page=2, tools=[f"t{n}" for n in range(7)]), ex=example("--tools", 30, "--page", 7)))
    with s.client() as c:
        names = c.tool_names()
        assert [n for n in names if n.startswith("f__t")] == [f"f__t{n}" for n in range(7)]
        assert len([n for n in names if n.startswith("ex__extra_")]) == 30


def test_pages_without_end_are_bounded(sluice):
    s = sluice.http(servers(f=fake(page="endless"), ex=example()), ready=False)
    with s.client(timeout=20) as c:
        assert c.text("ex__echo", {"text": "well"}) == "well"
        assert "ex__echo" in c.tool_names()
        assert len(c.tool_names()) < 200_000


# ids and answers


def test_out_of_order_answers_find_their_calls(one):
    calls = [one.in_background(call(n, "f__sleep", {"ms": ms})) for n, ms in enumerate((300, 20, 150, 1))]
    texts = [one.in_background(call("t", "f__echo", {"text": str(n)})) for n in range(4)]
    assert [unwrap(t.join())["content"][0]["text"] for t in texts] == list("0123")
    assert [c.join()["id"] for c in calls] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc":"2.0","id":999999,"result":{"content":[]}}',
        '{"jsonrpc":"2.0","id":"$ID","result":{"content":[]}}',
        '{"jsonrpc":"2.0","id":null,"result":{"content":[]}}',
        '{"jsonrpc":"2.0","id":-1,"error":{"code":1,"message":"x"}}',
        '{"jsonrpc":"2.0","error":{"code":-32700,"message":"parse error"}}',
        '{"jsonrpc":"2.0","id":[1],"result":{}}',
        '{"jsonrpc":"2.0","id":1.5,"result":{}}',
        '{"jsonrpc":"2.0","method":"notifications/unheard-of"}',
        '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"nobody","progress":1}}',
        '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}',
        '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":$ID}}',
        "not json at all",
        "",
        "   ",
        "{",
        "[]",
        "[1]",
        "null",
        '"text"',
        "\u2028\ufeff{}",
        "{}" * 1000,
        "[" * 100_000,
    ],
    ids=lambda line: ascii(line)[1:60],
)
def test_a_line_that_is_no_answer_is_passed_over(one, line):
    assert one.text("f__script", script({"line": line}, {"wait": 20}, {"answer": "the answer"})) == "the answer"
    assert one.text("f__echo", {"text": "next"}) == "next"


def test_bytes_that_are_no_text_are_passed_over(one):
    assert one.text("f__script", script({"hex": "fffe00800a"}, {"hex": "000a"}, {"answer": "ok"})) == "ok"


def test_a_byte_order_mark_in_front_of_a_message_is_passed_over(one):
    marked = {"line": '\ufeff{"jsonrpc":"2.0","id":$ID,"result":{"content":[{"type":"text","text":"marked"}]}}'}
    assert one.text("f__script", script(marked)) == "marked"
    assert one.text("f__script", script({"line": "\ufeff"}, {"answer": "ok"})) == "ok"


def test_a_bad_line_is_logged_with_the_servers_name(one):
    one.call("f__script", script({"line": "not json at all"}, {"answer": "ok"}))
    wait_until(
        lambda: any("f" in e.values() and e["level"] in ("warn", "info", "debug") for e in one.gateway.log.events),
        what="a line in the log",
    )


def test_a_second_answer_is_passed_over(one):
    twice = {"line": '{"jsonrpc":"2.0","id":$ID,"result":{"content":[{"type":"text","text":"first"}]}}'}
    again = {"line": '{"jsonrpc":"2.0","id":$ID,"result":{"content":[{"type":"text","text":"second"}]}}'}
    for _ in range(3):
        assert one.text("f__script", script(twice, again, {"wait": 5}, again)) == "first"
        assert one.text("f__echo", {"text": "mine"}) == "mine"


@pytest.mark.parametrize("answer", ['{"jsonrpc":"2.0","id":$ID}', '{"jsonrpc":"2.0","id":$ID,"result":{},"error":{"code":1,"message":"x"}}'])
def test_an_answer_that_is_no_answer_ends_the_call_as_bad(one, answer):
    with pytest.raises(RpcError) as e:
        one.call("f__script", script({"line": answer}), timeout=3)
    assert (e.value.code, e.value.data["reason"], e.value.data["outcome"]) == (-32603, "bad_answer", "unknown")


def test_an_answer_in_pieces_is_put_together(one):
    pieces = ['{"jsonrpc":"2.0",', '"id":$ID,"res', 'ult":{"content":[{"type":"text","te', 'xt":"whole"}]}}', "\n"]
    steps = [step for piece in pieces for step in ({"raw": piece}, {"wait": 10})]
    assert one.text("f__script", script(*steps)) == "whole"


def test_several_answers_in_one_write_are_taken_apart(one):
    pending = [one.in_background(call(n, "f__sleep", {"ms": 100})) for n in range(20)]
    assert sorted(p.join()["id"] for p in pending) == list(range(20))


def test_an_answer_with_a_carriage_return_is_taken(one):
    line = '{"jsonrpc":"2.0","id":$ID,"result":{"content":[{"type":"text","text":"crlf"}]}}\r\n'
    assert one.text("f__script", script({"raw": line})) == "crlf"


def test_an_answer_beyond_the_limit_ends_its_call_only(sluice):
    s = sluice.http(servers(f=fake(), limits={"maxMessageBytes": 1_000_000}))
    with s.client() as c:
        other = c.in_background(call("o", "f__sleep", {"ms": 500}))
        giant = [
            {"raw": '{"jsonrpc":"2.0","id":$ID,"result":{"content":[{"type":"text","text":"'},
            {"repeat": 2_000_000, "text": "x"},
            {"raw": '"}]}}\n'},
        ]
        with pytest.raises(RpcError) as e:
            c.call("f__script", script(*giant))
        assert e.value.data["reason"] == "message_too_large" and e.value.data["outcome"] == "unknown"
        assert unwrap(other.join())["content"][0]["text"] == "slept"
        assert c.text("f__echo", {"text": "fine"}) == "fine"


def test_a_line_without_an_end_takes_no_memory_without_end(sluice):
    s = sluice.http(servers(f=fake(), limits={"maxMessageBytes": 1_000_000}))
    with s.client() as c:
        c.text("f__script", script({"repeat": 50_000_000, "text": "x"}, {"raw": "\n"}, {"answer": "done"}))
        assert rss_kib(s.pid) < 64 * 1024


def rss_kib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])


def test_large_results_pass(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client(timeout=15) as c:
        text = c.text("ex__big", {"bytes": 20_000_000})
        assert len(text) == 20_000_000 and text.startswith("0123456789abcdef0")


# the server's own requests


def test_its_ping_is_answered_even_with_the_id_of_a_call(one):
    ask = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
    text = json.dumps(ask).replace('"id": 0', '"id": $ID')
    assert one.text("f__script", script({"line": text}, {"wait": 50}, {"answer": "mine"})) == "mine"
    mine = next(m for m in received(one) if m.get("params", {}).get("name") == "script")
    answers = [m for m in received(one) if "method" not in m]
    assert answers == [{"jsonrpc": "2.0", "id": mine["id"], "result": {}}]


@pytest.mark.parametrize("id", [1, "x", "é", 123456789012345678901234567890])
def test_the_id_of_its_request_comes_back_as_it_was(one, id):
    one.text("f__script", script({"call_back": {"jsonrpc": "2.0", "id": id, "method": "ping"}}, {"wait": 30}, {"answer": ""}))
    assert {"jsonrpc": "2.0", "id": id, "result": {}} in received(one)


@pytest.mark.parametrize("method", ["sampling/createMessage", "elicitation/create", "roots/list", "no/such"])
def test_its_other_requests_are_refused(one, method):
    ask = {"jsonrpc": "2.0", "id": "q", "method": method, "params": {}}
    assert one.text("f__script", script({"call_back": ask}, {"wait": 50}, {"answer": "ok"})) == "ok"
    (answer,) = [m for m in received(one) if m.get("id") == "q"]
    assert answer["error"]["code"] in (-32601, -32602)


def test_its_answers_to_nothing_of_ours_are_no_calls_answers(one):
    """A request of the server's whose id is that of a call, then an answer of the same id: only the latter counts."""
    ask = '{"jsonrpc":"2.0","id":$ID,"method":"sampling/createMessage","params":{}}'
    assert one.text("f__script", script({"line": ask}, {"line": ask}, {"answer": "right"})) == "right"


# progress, cancellation, time limits


def test_progress_tokens_are_the_gateways_own_on_the_wire(one):
    ask = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$TOKEN,"progress":1,"message":"m","x":1.0}}'
    one.call("f__script", script({"line": ask}, {"answer": "ok"}), token="mine")
    (progress,) = one.notifications
    assert progress["params"] == {"progressToken": "mine", "progress": 1, "message": "m", "x": 1.0}


def test_progress_after_the_answer_is_passed_over(one):
    late = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$TOKEN,"progress":2}}'
    one.call("f__script", script({"answer": "ok"}, {"line": late}), token=5)
    assert one.text("f__echo", {"text": "x"}) == "x"
    assert one.notifications == []


def test_a_timeout_is_told_and_cancels_at_the_server(sluice):
    s = sluice.http(servers(f=fake(more={"requestTimeout": "300ms"})))
    with s.client() as c:
        start = time.monotonic()
        with pytest.raises(RpcError) as e:
            c.call("f__sleep", {"ms": 900, "stubborn": True})
        assert 0.25 < time.monotonic() - start < 0.8 * PATIENCE
        assert e.value.code == -32603
        assert e.value.data == {"reason": "backend_timeout", "outcome": "unknown", "backend": "f", "retryable": False}
        seen = received(c)
        sleep = next(m for m in seen if m.get("params", {}).get("name") == "sleep")
        assert any(m.get("method") == "notifications/cancelled" and m["params"]["requestId"] == sleep["id"] for m in seen)
        time.sleep(0.7)  # the late answer comes now
        assert c.text("f__echo", {"text": "unharmed"}) == "unharmed"


def test_retryable_follows_the_tools_hints(sluice):
    tools = [
        {"name": "sure", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
        {"name": "again", "inputSchema": {"type": "object"}, "annotations": {"idempotentHint": True}},
        {"name": "once", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": False}},
    ]
    s = sluice.http(servers(f=fake(tools=tools, delay=5, more={"requestTimeout": "150ms"})))
    with s.client() as c:
        for name, retryable in (("sure", True), ("again", True), ("once", False), ("echo", False)):
            with pytest.raises(RpcError) as e:
                c.call(f"f__{name}")
            assert e.value.data["retryable"] is retryable, name


def test_progress_extends_a_timeout_up_to_the_greatest(sluice):
    entry = {"requestTimeout": "400ms", "maxRequestTimeout": "1500ms"}
    s = sluice.http(servers(ex=example(**entry)))
    with s.client() as c:
        assert c.call("ex__progress", {"steps": 4, "ms": 200}, token=1)["content"][0]["text"] == "done"
        start = time.monotonic()
        with pytest.raises(RpcError) as e:
            c.call("ex__progress", {"steps": 100, "ms": 200}, token=2, timeout=5)
        assert e.value.data["reason"] == "backend_timeout"
        assert 1.3 < time.monotonic() - start < 2.5 * PATIENCE


def test_an_answer_after_a_cancel_is_passed_over(one):
    pending = one.in_background(call("x", "f__sleep", {"ms": 200, "stubborn": True}))
    wait_until(lambda: one.gateway.health()["in_flight"] == 1, what="the call in flight")
    one.notify("notifications/cancelled", {"requestId": "x"})
    assert error_of(pending)["data"]["reason"] == "cancelled"
    time.sleep(0.3)
    assert one.text("f__echo", {"text": "unharmed"}) == "unharmed"


# the process: deaths and returns


@pytest.mark.parametrize("end", [{"exit": 0}, {"exit": 7}, {"kill": int(signal.SIGKILL)}, {"kill": int(signal.SIGSEGV)}, {"close": "stdout"}])
def test_calls_in_flight_of_a_process_that_ends_end_at_once(one, end):
    pending = [one.in_background(call(n, "f__sleep", {"ms": 60000})) for n in range(5)]
    wait_until(lambda: one.gateway.health()["in_flight"] == 5, what="five calls in flight")
    start = time.monotonic()
    last = one.in_background(call("last", "f__script", script(end)))
    for p in pending + [last]:
        error = error_of(p)
        assert error["code"] == -32603
        assert (error["data"]["reason"], error["data"]["outcome"]) == ("backend_exited", "unknown")
    assert time.monotonic() - start < 2 * PATIENCE
    assert one.text("f__echo", {"text": "a new process"}) == "a new process"


def test_answers_written_before_a_death_are_delivered(one):
    assert one.text("f__script", script({"answer": "my last words"}, {"exit": 1})) == "my last words"


def test_tools_stay_listed_while_a_server_is_down(sluice, tmp_path):
    s = sluice.http(servers(f=fake(tools=["kept"], fail_starts=0, counter=str(tmp_path / "c")), ex=example()))
    with s.client() as c:
        before = c.tool_names()
        pid = int(c.text("f__pid"))
        kill_and_wait(pid)
        assert c.tool_names() == before
        wait_until(lambda: s.health()["backends_connected"] == 2, what="the restart")
        assert c.tool_names() == before and int(c.text("f__pid")) != pid


def test_a_call_during_a_restart_waits_for_it(one):
    kill_and_wait(int(one.text("f__pid")))
    for n in range(3):
        assert one.text("f__echo", {"text": str(n)}) == str(n)


# streams that never stop


def test_stderr_comes_into_the_log_with_the_servers_name(one):
    one.call("f__script", script({"stderr": "something to say\n"}, {"answer": "ok"}))

    def told():
        return [e for e in one.gateway.log.events if "something to say" in json.dumps(e) and "f" in e.values()]

    wait_until(told, what="the line in the log")


def test_strange_bytes_on_stderr_make_no_strange_log(one):
    text = b'\x1b[31mred\x1b[0m "quoted" \\ \x00 \xff\xfe \xe2\x82 end\n'
    one.call("f__script", script({"stderr_hex": text.hex()}, {"stderr": "no line end"}, {"answer": "ok"}))
    wait_until(lambda: any("quoted" in json.dumps(e) for e in one.gateway.log.events), what="the line in the log")


def test_a_flood_on_stderr_blocks_nobody_and_is_rate_limited(one):
    start = time.monotonic()
    assert one.text("f__script", script({"stderr_flood": 20_000_000}, {"answer": "done"})) == "done"
    assert time.monotonic() - start < 5 * PATIENCE
    assert len([1 for line in one.gateway.log.lines if "noise" in line]) < 20_000


def test_a_flood_of_garbage_on_stdout_hides_no_answer(one):
    assert one.text("f__script", script({"flood": 10_000_000}, {"answer": "done"})) == "done"
    assert len(one.gateway.log.lines) < 5000


def test_a_burst_of_list_changes_is_refreshed_few_times(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record))))
    with s.client() as c:
        changed = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
        c.call("f__script", script({"set": {"tools": ["echo", "newer"]}}, {"repeat": 500, "text": changed + "\n"}, {"answer": ""}))
        wait_until(lambda: "f__newer" in c.tool_names(), what="the new tool")
        time.sleep(0.3)
        assert record.read_text().count('"tools/list"') < 50


def test_a_server_that_reads_nothing_holds_up_only_its_own_calls(sluice):
    s = sluice.http(servers(f=fake(more={"requestTimeout": "700ms"}), ex=example()))
    with s.client() as c:
        os.kill(int(c.text("f__pid")), signal.SIGSTOP)
        stuck = [c.in_background(call(n, "f__echo", {"text": "x" * 300_000})) for n in range(6)]
        for _ in range(10):
            assert c.text("ex__echo", {"text": "flows"}) == "flows"
        outcomes = [error_of(p)["data"] for p in stuck]
        assert all(d["reason"] in ("backend_timeout", "overloaded", "backend_exited") for d in outcomes)
        assert any(d["outcome"] == "not_sent" for d in outcomes), "of the last no byte was written"


def test_too_many_calls_in_flight_are_refused(sluice):
    s = sluice.http(servers(ex=example(), limits={"maxInFlightPerServer": 3}))
    with s.client() as c:
        pending = [c.in_background(call(n, "ex__sleep", {"ms": 500})) for n in range(6)]
        answers = [p.join() for p in pending]
        refused = [a["error"] for a in answers if "error" in a]
        assert len(refused) == 3
        assert all((e["data"]["reason"], e["data"]["outcome"], e["data"]["retryable"]) == ("overloaded", "not_sent", True) for e in refused)
