"""What servers ask of clients: sampling, elicitation, roots (interface.md, 2; MCP 2025-11-25, Client Features)."""

import json

import pytest

from asking import ACCEPTED, ALL, FORM, SAMPLING, OpenCall, answered, asking, reply
from harness import PATIENCE, fake, servers, wait_until
from http_client import EventStream
from mcp_client import call, notification, request


@pytest.fixture
def gateway(sluice):
    return sluice.http(servers(f=fake()))


@pytest.fixture
def able(gateway):
    with gateway.client(capabilities=ALL) as c:
        yield c


def code_of(message):
    return message["error"]["code"]


def test_a_shared_server_is_told_what_all_clients_together_can_do(able):
    hello = json.loads(able.text("f__hello"))
    assert hello["capabilities"] == {"sampling": {}, "elicitation": {"form": {}, "url": {}}}


@pytest.mark.parametrize(
    "method,params,result",
    [
        ("sampling/createMessage", SAMPLING, {"role": "assistant", "content": {"type": "text", "text": "ü\n"}, "model": "m"}),
        ("elicitation/create", FORM, ACCEPTED),
        ("roots/list", None, {"roots": [{"uri": "file:///a", "name": "a"}]}),
    ],
)
def test_a_request_goes_to_the_client_on_the_stream_of_its_call_and_the_answer_comes_back(able, method, params, result):
    c, question = asking(able, method, params)
    assert question["method"] == method and question.get("params") == params
    assert isinstance(question["id"], str) and question["id"].startswith("sluice-")
    reply(able, question, result)
    assert answered(c) == {"jsonrpc": "2.0", "id": "q1", "result": result}


def test_the_servers_own_id_keeps_its_type(able):
    c, question = asking(able, "roots/list", id=7)
    reply(able, question, {"roots": []})
    assert answered(c)["id"] == 7


def test_an_error_of_the_client_is_passed_on(able):
    c, question = asking(able, "sampling/createMessage", SAMPLING)
    reply(able, question, error={"code": -1, "message": "User rejected sampling request", "data": [1.0]})
    assert answered(c)["error"] == {"code": -1, "message": "User rejected sampling request", "data": [1.0]}


def test_a_schema_passes_word_for_word(able):
    params = {"message": "", "requestedSchema": {"properties": {"n": {"type": "number", "default": 95.50}}, "z": "\u00e4/"}}
    c, question = asking(able, "elicitation/create", params)
    assert question["params"] == params
    reply(able, question, {"action": "cancel"})
    c.text()


CHOICE = {"type": "string", "oneOf": [{"const": "r", "title": "Red"}, {"const": "g", "title": "Green"}], "default": "g"}
OLDER_CHOICE = {"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]}
SEVERAL = {"type": "array", "items": {"type": "string", "enum": ["r", "g"]}}


def form(**fields):
    return {"mode": "form", "message": "Which?", "requestedSchema": {"type": "object", "properties": fields}}


def test_a_form_is_put_in_the_words_of_an_older_client(gateway):
    with gateway.client(revision="2025-06-18", capabilities={"elicitation": {}}) as old, gateway.client(capabilities=ALL) as new:
        params = form(colour=CHOICE, sure={"type": "boolean", "default": True})
        older = form(colour=OLDER_CHOICE, sure={"type": "boolean", "default": True})
        del older["mode"]
        for client, shown in ((old, older), (new, params)):
            c, question = asking(client, "elicitation/create", params)
            assert question["params"] == shown
            reply(client, question, {"action": "accept", "content": {"colour": "r"}})
            assert answered(c)["result"]["content"] == {"colour": "r"}


def test_a_form_that_an_older_client_has_not_got_is_refused(gateway):
    with gateway.client(revision="2025-06-18", capabilities={"elicitation": {}}) as old:
        answer = json.loads(old.text("f__ask", {"method": "elicitation/create", "params": form(colours=SEVERAL)}))
        assert code_of(answer) == -32602 and "revision" in answer["error"]["message"]


def test_sampling_with_tools_is_for_clients_that_declare_it(gateway):
    params = {**SAMPLING, "tools": [{"name": "t", "inputSchema": {"type": "object"}}]}
    with gateway.client(capabilities=ALL) as without:
        assert code_of(json.loads(without.text("f__ask", {"method": "sampling/createMessage", "params": params}))) == -32601
    with gateway.client(capabilities={"sampling": {"tools": {}}}) as c:
        call, question = asking(c, "sampling/createMessage", params)
        assert question["params"] == params
        reply(c, question, {})
        call.text()


def test_what_the_client_cannot_do_is_refused_at_once(gateway):
    with gateway.client(capabilities={"elicitation": {}}) as c:
        for method, params in (("sampling/createMessage", SAMPLING), ("roots/list", {}), ("elicitation/create", {"mode": "url"})):
            answer = json.loads(c.text("f__ask", {"method": method, "params": params}))
            assert code_of(answer) == -32601, answer
    gateway.log.wait("ask_refused", backend="f")


def test_unknown_requests_of_a_server_are_refused(able):
    assert code_of(json.loads(able.text("f__ask", {"method": "made/up"}))) == -32601


def in_flight(gateway, n):
    wait_until(lambda: gateway.health()["in_flight"] == n, what=f"{n} calls in flight")


def test_with_two_clients_at_work_it_is_refused_and_the_log_advises(gateway, able):
    with gateway.client(capabilities=ALL) as other:
        slow = other.in_background(call(5, "f__sleep", {"ms": 1000}))
        in_flight(gateway, 1)
        answer = json.loads(able.text("f__ask", {"method": "elicitation/create", "params": FORM}))
        assert code_of(answer) == -32602
        assert "session" in gateway.log.wait("ask_refused", backend="f")["msg"]
        assert slow.join()["result"]


def test_two_calls_of_one_client_are_no_doubt(gateway, able):
    first = able.in_background(call(5, "f__sleep", {"ms": 500}))
    in_flight(gateway, 1)
    second = able.in_background(call(6, "f__ask", {"method": "elicitation/create", "params": FORM}))
    # the question comes on the stream of the oldest call, and is still open when that has ended
    assert first.join()["result"]
    [question] = first.client.notifications
    reply(able, question, ACCEPTED)
    assert json.loads(second.join()["result"]["content"][0]["text"])["result"] == ACCEPTED
    assert second.client.notifications == []


def test_an_answer_from_another_session_is_not_taken(gateway, able):
    c, question = asking(able, "elicitation/create", FORM)
    with gateway.client(capabilities=ALL) as other:
        reply(other, question, {"action": "accept", "content": {"name": "Eve"}})
    reply(able, "sluice-99999", ACCEPTED)
    reply(able, 1, ACCEPTED)
    reply(able, question, ACCEPTED)
    assert answered(c)["result"] == ACCEPTED


def test_only_the_first_answer_counts(able):
    c, question = asking(able, "elicitation/create", FORM)
    reply(able, question, ACCEPTED)
    reply(able, question, {"action": "decline"})
    assert answered(c)["result"] == ACCEPTED
    assert "decline" not in able.text("f__received")


def test_a_request_that_the_server_takes_back_is_cancelled_at_the_client(able):
    c, question = asking(able, "elicitation/create", FORM)
    able.notify("notifications/cancelled", {"requestId": 1})
    first, second = c.next(), c.next()
    assert first["method"] == "notifications/cancelled" and first["params"]["requestId"] == question["id"], first
    assert second["error"]["data"]["reason"] == "cancelled"
    reply(able, question, ACCEPTED)
    assert "Ann" not in able.text("f__received")


def test_what_is_open_when_the_call_ends_is_cancelled_and_the_server_told(able):
    c, question = asking(able, "elicitation/create", FORM, forget=True)
    cancelled = c.next()
    assert cancelled["method"] == "notifications/cancelled" and cancelled["params"]["requestId"] == question["id"]
    assert c.text() == "asked"
    wait_until(lambda: '\\"code\\":-32603' in able.text("f__received"))


def test_the_end_of_the_servers_process_ends_what_it_asked(able):
    steps = [{"call_back": {"jsonrpc": "2.0", "id": 1, "method": "roots/list"}}, {"wait": 200}, {"exit": 1}]
    c = OpenCall(able, "f__script", {"steps": steps})
    question = c.next()
    last = [m for m in iter(c.next, None)]
    assert last[-1]["error"]["data"]["reason"] == "backend_exited"
    assert last[0]["params"]["requestId"] == question["id"]
    reply(able, question, {"roots": []})


def test_a_client_that_leaves_for_good_is_told_to_the_server(sluice):
    gateway = sluice.http(servers(f=fake(), session={"replayTime": "0s"}))
    with gateway.client(capabilities=ALL) as able, gateway.client() as other:
        c, _ = asking(able, "elicitation/create", FORM)
        c.client.connection().reset()
        wait_until(lambda: '\\"code\\":-32603' in other.text("f__received"))


def test_a_client_that_may_come_back_is_waited_for(gateway, able):
    c, question = asking(able, "elicitation/create", FORM)
    c.client.connection().reset()
    with gateway.client() as other:
        assert '\\"code\\":-32603' not in other.text("f__received")
    reply(able, question, ACCEPTED)
    wait_until(lambda: "Ann" in able.text("f__received"))


def test_the_end_of_the_session_is_told_to_the_server(gateway, able):
    c, _ = asking(able, "elicitation/create", FORM)
    assert able.fork().delete().status == 200
    with gateway.client() as other:
        wait_until(lambda: '\\"code\\":-32603' in other.text("f__received"))
    c.close()


def test_somebody_may_think_for_longer_than_a_call_may_take(sluice):
    s = sluice.http(servers(f=fake(more={"requestTimeout": 0.3 * PATIENCE, "maxRequestTimeout": 60 * PATIENCE})))
    with s.client(capabilities=ALL) as c:
        o, question = asking(c, "elicitation/create", FORM)
        with pytest.raises(TimeoutError):
            o.next(1.0 * PATIENCE)
        reply(c, question, ACCEPTED)
        assert answered(o)["result"] == ACCEPTED
        o, question = asking(c, "elicitation/create", FORM, forget=False)
        o.close()


def test_but_not_for_ever(sluice):
    s = sluice.http(servers(f=fake(more={"requestTimeout": 0.2 * PATIENCE, "maxRequestTimeout": 0.6 * PATIENCE})))
    with s.client(capabilities=ALL) as c:
        o, question = asking(c, "elicitation/create", FORM)
        cancelled, end = o.next(), o.next()
        assert cancelled["params"]["requestId"] == question["id"]
        assert end["error"]["data"]["reason"] == "backend_timeout"


def test_configured_roots_are_answered_without_asking_anybody(sluice):
    roots = [{"uri": "file:///work", "name": "Work"}, "file:///data"]
    s = sluice.http(servers(f=fake(more={"roots": roots})))
    with s.client() as c:
        assert "roots" in json.loads(c.text("f__hello"))["capabilities"]
        answer = json.loads(c.text("f__ask", {"method": "roots/list"}))
        assert answer["result"] == {"roots": [{"uri": "file:///work", "name": "Work"}, {"uri": "file:///data"}]}


def test_elicitation_ids_of_two_servers_do_not_clash_and_the_end_is_told_to_who_was_asked(sluice):
    s = sluice.http(servers(a=fake(), b=fake()))
    url = {"mode": "url", "elicitationId": "1", "url": "https://example.com/", "message": "go"}
    with s.client(capabilities=ALL) as c, s.client(capabilities=ALL) as other:
        elsewhere = other.get_stream()
        ids = []
        for tool in ("a__ask", "b__ask"):
            o, question = asking(c, "elicitation/create", url, tool=tool)
            ids.append(question["params"]["elicitationId"])
            reply(c, question, {"action": "accept"})
            answered(o)
        assert ids[0] != ids[1]
        done = notification("notifications/elicitation/complete", {"elicitationId": "1"})
        o = OpenCall(c, "b__script", {"steps": [{"line": done}, {"line": {"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {"elicitationId": "9"}}}, {"answer": "done"}]})
        assert o.next()["params"]["elicitationId"] == ids[1]
        assert o.text() == "done"
        assert elsewhere.drain(0.2) == []


def test_it_works_over_stdio(sluice):
    s = sluice.stdio(servers(f=fake()))
    c = s.stdio_client().initialize(capabilities=ALL)
    c.send(call(11, "f__ask", {"method": "elicitation/create", "params": FORM}))
    question = c.recv()
    assert question["method"] == "elicitation/create" and question["params"] == FORM
    c.send({"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED})
    answer = c.answer_of(11)
    assert json.loads(answer["result"]["content"][0]["text"])["result"] == ACCEPTED


def test_answers_are_taken_while_it_drains(sluice):
    s = sluice.http(servers(f=fake()), "--grace-period", "20s")
    with s.client(capabilities=ALL) as c:
        o, question = asking(c, "elicitation/create", FORM)
        s.signal(15)
        s.log.wait("phase", to="draining")
        reply(c, question, ACCEPTED)
        assert answered(o)["result"] == ACCEPTED
    assert s.wait() == 0


def test_answers_in_a_batch(sluice, gateway):
    with gateway.client(revision="2025-03-26", capabilities={"roots": {}}) as c:
        o, question = asking(c, "roots/list")
        with c.fork() as f:
            r = f.post([{"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}}])
            assert (r.status, r.body) == (202, b"")
        assert answered(o)["result"] == {"roots": []}
