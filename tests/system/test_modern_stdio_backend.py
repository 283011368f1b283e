"""Servers over pipes that speak the modern revision (2026-07-28), how they are found out, and those that do not."""

import json
import time

import pytest

from asking import ACCEPTED, ALL, FORM, OpenCall, reply
from harness import PATIENCE, fake, kill_and_wait, servers, wait_until
from mcp_client import RpcError, call, dumps, notification
from modern_client import MODERN, PREFIX, ModernHttp, is_stamped
from test_stdio_backend import script

UPDATED, CHANGED = "notifications/resources/updated", "notifications/tools/list_changed"


def methods(path):
    """What the server got, process by process."""
    processes = []
    for line in path.read_text().splitlines() if path.exists() else []:
        words = line.split(" ", 1)[1]
        if words.startswith("START"):
            processes.append([])
        elif words.startswith("{"):
            processes[-1].append(json.loads(words).get("method"))
    return processes


def received(client):
    return [json.loads(line) for line in json.loads(client.text("f__received"))]


def listens(client):
    return [m["params"]["notifications"] for m in received(client) if m.get("method") == "subscriptions/listen"]


@pytest.fixture
def modern(sluice):
    """A gateway with one modern server `f`."""
    return sluice.http(servers(f=fake(era="modern", resources=["u:1", "u:2"])))


# how it is found out

FIRST_WORDS = {
    "modern": ({"era": "modern"}, [["server/discover", "tools/list"]], MODERN),
    "dual": ({"era": "dual"}, [["server/discover", "tools/list"]], MODERN),
    "legacy": ({}, [["initialize", "notifications/initialized", "tools/list"]], None),
    "silent": ({"discover": "ignore"}, [["server/discover", "initialize", "notifications/initialized", "tools/list"]], None),
    "ends": ({"discover": "exit"}, [["server/discover"], ["initialize", "notifications/initialized", "tools/list"]], None),
    "late": ({"era": "modern", "discover": "late"}, [["server/discover", "initialize", "server/discover", "tools/list"]], MODERN),
}


@pytest.mark.parametrize("kind", FIRST_WORDS)
def test_the_first_words(sluice, tmp_path, kind):
    knobs, words, revision = FIRST_WORDS[kind]
    path = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(path), **knobs)))
    with s.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
        meta = json.loads(c.text("f__meta"))
        assert (meta or {}).get(PREFIX + "protocolVersion") == revision
    seen = [[m for m in process if m not in ("tools/call", "subscriptions/listen")] for process in methods(path)]
    assert seen == words
    assert s.log.find("backend_crashed") == []


@pytest.mark.parametrize("kind", ["silent", "ends"])
def test_what_was_found_out_is_remembered(sluice, tmp_path, kind):
    path = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(path), **FIRST_WORDS[kind][0])))
    with s.client() as c:
        before = len(methods(path))
        began = time.monotonic()
        kill_and_wait(int(c.text("f__pid")))
        assert c.text("f__echo", {"text": "again"}) == "again"
        assert time.monotonic() - began < 20 * PATIENCE
    assert len(methods(path)) == before + 1
    assert methods(path)[-1][0] == "initialize" and "server/discover" not in methods(path)[-1]


def test_a_modern_server_is_not_asked_to_initialize_when_it_comes_again(sluice, tmp_path):
    path = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(path), era="modern")))
    with s.client() as c:
        kill_and_wait(int(c.text("f__pid")))
        assert c.text("f__echo", {"text": "again"}) == "again"
    first, second = methods(path)
    assert first[0] == second[0] == "server/discover"
    assert "subscriptions/listen" in second and "initialize" not in first + second


def test_a_server_that_dies_before_it_has_read_a_word_is_not_taken_for_one_that_dies_of_it(sluice, tmp_path):
    counter, path = tmp_path / "counter", tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(path), fail_starts=1, counter=str(counter))), ready=True)
    with s.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
    assert [len(process) > 0 for process in methods(path)] == [False, True]


# calls


def test_requests_say_of_whom_they_are(modern):
    with modern.client(capabilities={"sampling": {}, "elicitation": {}, "roots": {"listChanged": True}}) as c:
        c.request("logging/setLevel", {"level": "info"})
        meta = json.loads(c.text("f__meta"))
        assert meta[PREFIX + "protocolVersion"] == MODERN
        assert meta[PREFIX + "clientCapabilities"] == {"sampling": {}, "elicitation": {"form": {}}, "roots": {}}
        assert meta[PREFIX + "clientInfo"]["name"]
        assert meta[PREFIX + "logLevel"] == "info"
        assert {m["method"] for m in received(c)} == {"server/discover", "tools/list", "resources/list", "resources/templates/list", "subscriptions/listen", "tools/call"}


def test_a_modern_client_speaks_for_itself(modern):
    with ModernHttp(modern.address) as m:
        result = m.call("f__meta", capabilities={"sampling": {"tools": {}}}, level="debug", **{"x": 1})
        assert result["resultType"] == "complete"
        meta = json.loads(result["content"][0]["text"])
        assert meta[PREFIX + "clientCapabilities"] == {"sampling": {"tools": {}}}
        assert meta[PREFIX + "clientInfo"] == {"name": "test", "version": "1"}
        assert (meta[PREFIX + "logLevel"], meta[PREFIX + "x"]) == ("debug", 1)


def test_answers_to_legacy_clients_have_nothing_of_the_modern_revision(modern):
    with modern.client() as c:
        assert c.call("f__echo", {"text": "x"}) == {"content": [{"type": "text", "text": "x"}]}
        assert set(c.request("resources/read", {"uri": "u:1"})) == {"contents"}
        assert c.request("completion/complete", {"ref": {"type": "ref/resource", "uri": "u:1"}, "argument": {"name": "a", "value": ""}})["completion"]
    with ModernHttp(modern.address) as m:
        assert m.ask("resources/read", {"uri": "u:1"})["cacheScope"] == "private"


LISTING = {"name": "listing", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array", "items": {"type": "integer"}}}
RECORD = {"name": "record", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object", "properties": {"a": {}}}}


def test_results_that_are_no_object_are_texts_for_legacy_clients(sluice):
    s = sluice.http(servers(f=fake(era="modern", tools=[LISTING, RECORD])))
    result = {"resultType": "complete", "content": [{"type": "text", "text": "three"}], "structuredContent": [1, 2, 3]}
    steps = [{"line": dumps({"jsonrpc": "2.0", "id": "$ID", "result": result}).replace('"$ID"', "$ID")}]
    with s.client() as c, ModernHttp(s.address) as m:
        old = {t["name"]: t.get("outputSchema") for t in c.request("tools/list")["tools"]}
        new = {t["name"]: t.get("outputSchema") for t in m.ask("tools/list")["tools"]}
        assert (old["f__listing"], new["f__listing"]) == (None, LISTING["outputSchema"])
        assert old["f__record"] == new["f__record"] == RECORD["outputSchema"]
        assert c.call("f__script", {"steps": steps}) == {"content": [*result["content"], {"type": "text", "text": "[1,2,3]"}]}
        assert m.call("f__script", {"steps": steps})["structuredContent"] == [1, 2, 3]


def test_updates_for_legacy_clients_do_not_name_our_subscription(modern):
    with modern.client() as c:
        stream = c.get_stream()
        assert c.request("resources/subscribe", {"uri": "u:1"}) == {}
        c.call("f__script", {"steps": [{"wait": 200}, {"news": {"method": UPDATED, "params": {"uri": "u:1"}}}, {"answer": "ok"}]})
        assert stream.next_message() == notification(UPDATED, {"uri": "u:1", "_meta": {}})


def test_progress_reaches_its_client(modern):
    with modern.client() as c:
        line = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$TOKEN,"progress":1}}'
        c.call("f__script", script({"line": line}, {"answer": "done"}), token="mine")
        assert [m["params"] for m in c.notifications] == [{"progressToken": "mine", "progress": 1}]


def test_a_cancelled_call_is_told_to_the_server(modern):
    with modern.client() as c:
        c.in_background(call(8, "f__sleep", {"ms": 60000}))
        wait_until(lambda: any(m["params"].get("name") == "sleep" for m in received(c)))
        c.notify("notifications/cancelled", {"requestId": 8})
        wait_until(lambda: any(m["method"] == "notifications/cancelled" for m in received(c)))


def test_calls_that_wait_for_a_lazy_server_are_sent_as_it_wants_them(sluice):
    s = sluice.http(servers(f=fake({"era": "modern"}, {"startup": "lazy"})))
    with s.client() as c:
        kill_and_wait(int(c.text("f__pid")))
        assert json.loads(c.text("f__meta"))[PREFIX + "protocolVersion"] == MODERN


def test_what_a_modern_server_asks_is_not_heard(modern):
    with modern.client(capabilities={"sampling": {}}) as c:
        assert c.text("f__ask", {"method": "sampling/createMessage", "params": {}, "forget": True}) == "asked"
        assert all("method" in m for m in received(c))


# what it needs of a client


def test_what_a_modern_server_needs_a_legacy_client_is_asked(modern):
    with modern.client(capabilities=ALL) as c:
        question = {"method": "elicitation/create", "params": FORM}
        open_call = OpenCall(c, "f__need", {"requests": {"who": question}})
        asked = open_call.next()
        assert (asked["method"], asked["params"]["message"]) == ("elicitation/create", FORM["message"])
        reply(c, asked, ACCEPTED)
        assert json.loads(open_call.text()) == [{"who": ACCEPTED}, "s"]


def test_what_a_modern_server_needs_a_modern_client_is_told(modern):
    with ModernHttp(modern.address) as m:
        requests = {"who": {"method": "elicitation/create", "params": FORM}}
        result = m.call("f__need", {"requests": requests}, capabilities=ALL)
        assert (result["resultType"], result["inputRequests"]) == ("input_required", requests)
        answers = {"inputResponses": {"who": ACCEPTED}, "requestState": result["requestState"]}
        result = m.ask("tools/call", {"name": "f__need", "arguments": {"requests": requests}, **answers}, capabilities=ALL)
        assert json.loads(result["content"][0]["text"]) == [{"who": ACCEPTED}, "s"]


# news


def news(method, **params):
    return {"news": {"method": method, "params": params}}


def test_a_changed_list_is_fetched_anew(modern):
    with modern.client() as c:
        assert "f__more" not in c.tool_names()
        c.call("f__script", script({"set": {"tools": ["script", "received", "more"]}}, news(CHANGED), {"answer": "done"}))
        wait_until(lambda: "f__more" in c.tool_names())


def test_subscriptions_of_legacy_clients_are_made_by_listening(modern):
    with modern.client() as c, modern.client() as d:
        stream = c.get_stream()
        assert c.request("resources/subscribe", {"uri": "u:1"}) == {}
        wait_until(lambda: [x.get("resourceSubscriptions") for x in listens(d)] == [None, ["u:1"]])
        d.call("f__script", script(news(UPDATED, uri="u:1"), news(UPDATED, uri="u:2"), {"answer": "done"}))
        message = stream.next_message()
        assert (message["method"], message["params"]["uri"]) == (UPDATED, "u:1")
        old = [m["id"] for m in received(d) if m.get("method") == "subscriptions/listen"][0]
        wait_until(lambda: [m["params"]["requestId"] for m in received(d) if m.get("method") == "notifications/cancelled"] == [old])
        assert stream.drain(0.2) == []
        c.request("resources/unsubscribe", {"uri": "u:1"})
        wait_until(lambda: [x.get("resourceSubscriptions") for x in listens(d)] == [None, ["u:1"], None])


def test_a_new_process_is_asked_for_the_same_news(modern):
    with modern.client() as c:
        stream = c.get_stream()
        c.request("resources/subscribe", {"uri": "u:2"})
        kill_and_wait(int(c.text("f__pid")))
        wait_until(lambda: [x.get("resourceSubscriptions") for x in listens(c)] == [["u:2"]])
        c.call("f__script", script(news(UPDATED, uri="u:2"), {"answer": "done"}))
        assert stream.next_message()["params"]["uri"] == "u:2"


def test_a_listen_that_the_server_ends_is_taken_up_again(modern):
    with modern.client() as c:
        wait_until(lambda: len(listens(c)) == 1)
        c.call("f__script", script({"unlisten": True}, {"answer": "done"}))
        wait_until(lambda: len(listens(c)) == 2, timeout=10)


def test_a_modern_client_listens_through_us(modern):
    with ModernHttp(modern.address) as m, modern.client() as c:
        stream, _ = m.listen(resourceSubscriptions=["u:1"])
        wait_until(lambda: listens(c)[-1].get("resourceSubscriptions") == ["u:1"])
        c.call("f__script", script(news(UPDATED, uri="u:1"), {"answer": "done"}))
        message = stream.next_message()
        assert message["params"]["uri"] == "u:1" and message["params"]["_meta"][PREFIX + "subscriptionId"] == "listen"


# processes of their own


def test_a_legacy_clients_own_process_of_a_server_of_both_is_spoken_to_as_it_speaks(sluice):
    s = sluice.http(servers(f=fake({"era": "dual"}, {"isolation": "session"})))
    with s.client() as c, ModernHttp(s.address) as m:
        assert json.loads(c.text("f__meta")) is None
        assert json.loads(c.text("f__hello"))["protocolVersion"] == "2025-11-25"
        assert is_stamped(m.ask("server/discover"), cacheable=True)
        assert json.loads(m.call("f__meta")["content"][0]["text"])[PREFIX + "protocolVersion"] == MODERN


def test_what_one_process_showed_the_others_need_not_find_out(sluice, tmp_path):
    path = tmp_path / "record"
    s = sluice.http(servers(f=fake({"era": "modern", "record": str(path)}, {"isolation": "session"})))
    for _ in range(2):
        with s.client() as c:
            assert json.loads(c.text("f__meta"))[PREFIX + "protocolVersion"] == MODERN
    main, first, second = [[m for m in process if m != "tools/call"] for process in methods(path)]
    assert main[0] == "server/discover"
    assert first[:2] == ["initialize", "server/discover"]
    assert second[:1] == ["server/discover"] and "initialize" not in second


def test_doctor_asks_in_the_servers_own_words(sluice, tmp_path):
    path = tmp_path / "record"
    config = sluice.write(servers(f=fake(era="modern", record=str(path))))
    code, out, _ = sluice.output("doctor", "f", "--json", "--config", str(config))
    assert code == 0, out
    assert MODERN in out
    assert "ping" not in methods(path)[0] and methods(path)[0].count("server/discover") > 1


def test_errors_of_a_modern_server_are_put_into_older_words(modern):
    with modern.client() as c, pytest.raises(RpcError) as e:
        c.call("f__nothing")
    assert e.value.code == -32602
