"""`isolation`: who shares a process of a server (interface.md, 2)."""

import json

import pytest

from asking import ACCEPTED, ALL, FORM, answered, asking, reply
from harness import fake, is_alive, servers, wait_until
from mcp_client import RpcError, call
from reloading import Reloading, counts


def session_server(**more):
    return servers(f=fake(more={"isolation": "session", **more}))


def test_each_session_has_a_process_of_its_own(sluice):
    s = sluice.http(session_server())
    with s.client() as a, s.client() as b:
        pids = {a.text("f__pid"), a.text("f__pid"), b.text("f__pid")}
        assert len(pids) == 2
        assert a.tool_names() == b.tool_names()


def test_the_server_is_told_exactly_what_its_client_can_do(sluice):
    s = sluice.http(session_server())
    for capabilities, revision in (
        ({}, "2025-11-25"),
        ({"sampling": {"tools": {}}, "roots": {"listChanged": True}}, "2025-11-25"),
        ({"elicitation": {"form": {}}}, "2025-06-18"),
    ):
        with s.client(capabilities=capabilities, revision=revision) as c:
            assert json.loads(c.text("f__hello"))["capabilities"] == capabilities
    with s.client(capabilities=ALL, revision="2025-03-26") as c:
        assert set(json.loads(c.text("f__hello"))["capabilities"]) == {"sampling", "roots"}


def test_two_clients_are_asked_at_the_same_time(sluice):
    s = sluice.http(session_server())
    with s.client(capabilities=ALL) as a, s.client(capabilities=ALL) as b:
        (one, asked_a), (two, asked_b) = asking(a, "elicitation/create", FORM), asking(b, "roots/list")
        reply(a, asked_a, ACCEPTED)
        reply(b, asked_b, {"roots": []})
        assert answered(one)["result"] == ACCEPTED and answered(two)["result"] == {"roots": []}


def test_a_server_may_ask_on_the_open_stream_when_no_call_is_in_flight(sluice):
    s = sluice.http(session_server())
    ask = {"call_back": {"jsonrpc": "2.0", "id": 1, "method": "roots/list"}}
    with s.client(capabilities={"roots": {}}) as c, s.client(capabilities={"roots": {}}) as other:
        stream, elsewhere = c.get_stream(), other.get_stream()
        other.text("f__pid")
        assert c.text("f__script", {"steps": [{"answer": "later"}, {"wait": 100}, ask]}) == "later"
        question = stream.next_message()
        assert question["method"] == "roots/list"
        reply(c, question, {"roots": [{"uri": "file:///here"}]})
        wait_until(lambda: "file:///here" in c.text("f__received"))
        assert elsewhere.drain(0.2) == []


def test_changed_roots_are_told_to_the_clients_own_process(sluice):
    s = sluice.http(session_server())
    with s.client(capabilities=ALL) as a, s.client(capabilities=ALL) as b:
        a.text("f__pid"), b.text("f__pid")
        a.notify("notifications/roots/list_changed")
        wait_until(lambda: "roots/list_changed" in a.text("f__received"))
        assert "roots/list_changed" not in b.text("f__received")


def test_the_process_ends_with_the_session(sluice):
    s = sluice.http(session_server())
    with s.client() as c:
        pid = int(c.text("f__pid"))
        assert c.delete().status == 200
    wait_until(lambda: not is_alive(pid), what="the end of the process")


def test_but_not_before_its_last_call(sluice):
    s = sluice.http(session_server())
    with s.client() as c:
        pid = int(c.text("f__pid"))
        last = c.in_background(call(9, "f__sleep", {"ms": 600}))
        wait_until(lambda: s.health()["in_flight"] == 1)
        with c.fork() as f:
            assert f.delete().status == 200
        assert last.join()["result"]
    wait_until(lambda: not is_alive(pid), what="the end of the process")


def test_the_process_ends_for_want_of_use_and_another_comes(sluice):
    s = sluice.http(session_server(idleTimeout="100ms"))
    with s.client() as c:
        pid = int(c.text("f__pid"))
        wait_until(lambda: not is_alive(pid), what="the end of the process")
        assert int(c.text("f__pid")) != pid


def test_a_process_that_dies_takes_only_its_own_clients_calls(sluice):
    s = sluice.http(session_server())
    with s.client() as a, s.client() as b:
        pid = b.text("f__pid")
        with pytest.raises(RpcError) as e:
            a.call("f__script", {"steps": [{"exit": 3}]})
        assert e.value.data["reason"] == "backend_exited"
        assert b.text("f__pid") == pid
        assert a.text("f__echo", {"text": "again"}) == "again"


def test_there_are_at_most_so_many(sluice):
    s = sluice.http(session_server(maxProcesses=2))
    with s.client() as a, s.client() as b, s.client() as c:
        a.text("f__pid"), b.text("f__pid")
        with pytest.raises(RpcError) as e:
            c.text("f__pid")
        assert (e.value.data["reason"], e.value.data["outcome"]) == ("overloaded", "not_sent")
        assert s.log.wait("backend_full")["max"] == 2
        assert a.fork().delete().status == 200
        wait_until(lambda: works(c))


def test_the_log_names_the_server_after_a_reload_too(sluice):
    r = Reloading(sluice, session_server(maxProcesses=1))
    with r.s.client() as a, r.s.client() as b:
        a.text("f__pid")
        assert counts(r.reload(session_server(maxProcesses=1, requestTimeout="9s"))) == (0, 0, 1, 0, 0)
        with pytest.raises(RpcError):
            b.text("f__pid")
        assert r.s.log.wait("backend_full")["backend"] == "f"


def works(client):
    try:
        return client.text("f__pid")
    except RpcError:
        return None


def test_log_levels_reach_processes_that_come_later(sluice):
    s = sluice.http(session_server())
    with s.client() as c:
        c.request("logging/setLevel", {"level": "debug"})
        assert c.text("f__pid")
        wait_until(lambda: '\\"debug\\"' in c.text("f__received"))


def test_over_stdio_the_one_client_has_a_process_too(sluice):
    s = sluice.stdio(session_server())
    c = s.stdio_client().initialize(capabilities={"roots": {"listChanged": True}})
    assert json.loads(c.text("f__hello"))["capabilities"] == {"roots": {"listChanged": True}}
    s.process.stdin.close()
    assert s.wait() == 0


def test_all_processes_are_stopped_in_order(sluice):
    s = sluice.http(session_server())
    with s.client() as a, s.client() as b:
        pids = [int(a.text("f__pid")), int(b.text("f__pid"))]
        last = a.in_background(call(9, "f__sleep", {"ms": 500}))
        wait_until(lambda: s.health()["in_flight"] == 1)
        s.signal(15)
        assert last.join()["result"]
    assert s.wait() == 0
    assert not any(is_alive(pid) for pid in pids)
    assert s.last_line()["backends_killed"] == 0


def test_a_lease_lets_two_clients_be_asked_one_after_the_other(sluice):
    s = sluice.http(servers(f=fake(more={"isolation": "lease"})))
    with s.client(capabilities=ALL) as a, s.client(capabilities=ALL) as b, s.client() as simple:
        one, asked_a = asking(a, "elicitation/create", FORM)
        two = b.in_background(call(2, "f__ask", {"method": "elicitation/create", "params": FORM}))
        third = simple.in_background(call(3, "f__echo", {"text": "in its turn"}))
        wait_until(lambda: s.health()["in_flight"] == 3)
        reply(a, asked_a, ACCEPTED)
        assert answered(one)["result"] == ACCEPTED
        wait_until(lambda: two.client.notifications, what="the second question")
        b.notify("notifications/cancelled", {"requestId": 2})
        assert two.join()["error"]["data"]["reason"] == "cancelled"
        assert [m["method"] for m in two.client.notifications] == ["elicitation/create", "notifications/cancelled"]
        assert third.join()["result"]["content"][0]["text"] == "in its turn"
