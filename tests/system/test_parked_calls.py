"""Modern clients (2026-07-28) of servers that only know the legacy revisions and ask for something meanwhile: the call is
parked, and goes on with the client's retry (table C3 of the protocol notes)."""

import json

import pytest

from asking import ACCEPTED, FORM, SAMPLING
from fake_http_server import FakeHttpServer
from harness import PATIENCE, fake, servers, wait_until
from mcp_client import RpcError, call, text_of
from modern_client import ModernHttp, modern

CAN = {"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {}}
ROOTS = {"roots": [{"uri": "file:///a"}]}


@pytest.fixture
def gateway(sluice):
    return sluice.http(servers(f=fake()))


@pytest.fixture
def m(gateway):
    with ModernHttp(gateway.address) as client:
        yield client


def arguments(method="elicitation/create", params=FORM, **more):
    return {"method": method, **({"params": params} if params is not None else {}), **more}


def start(m, args, tool="f__ask", capabilities=CAN, **more):
    return m.ask("tools/call", {"name": tool, "arguments": args, **more}, capabilities=capabilities)


def go_on(m, args, before, responses, tool="f__ask", capabilities=CAN, **more):
    return start(m, args, tool, capabilities, requestState=before["requestState"], inputResponses=responses, **more)


def is_parked(result):
    assert result["resultType"] == "input_required" and isinstance(result["requestState"], str)
    return result["inputRequests"]


def answered(result):
    assert result["resultType"] == "complete"
    return json.loads(text_of(result))


def received(m):
    return text_of(m.call("f__received"))


@pytest.mark.parametrize(
    "method,params,response",
    [
        ("elicitation/create", FORM, ACCEPTED),
        ("sampling/createMessage", SAMPLING, {"role": "assistant", "content": {"type": "text", "text": "x"}, "model": "m"}),
        ("roots/list", None, ROOTS),
    ],
)
def test_a_question_ends_the_request_and_the_retry_brings_the_answer(m, method, params, response):
    args = arguments(method, params)
    parked = start(m, args)
    questions = is_parked(parked)
    [(key, question)] = questions.items()
    assert question["method"] == method and question.get("params") == params
    done = go_on(m, args, parked, {key: response})
    assert answered(done)["result"] == response
    assert received(m).count("tools/call") == 2  # the call, and this one


def test_the_status_says_that_a_call_waits(gateway, m):
    args = arguments()
    parked = start(m, args)
    assert gateway.health()["in_flight"] == 0
    answered(go_on(m, args, parked, {"r1": ACCEPTED}))


def test_a_page_loses_the_id_by_which_legacy_revisions_follow_it_up(m):
    url = {"mode": "url", "elicitationId": "e", "url": "https://example.com/", "message": "go"}
    [question] = is_parked(start(m, arguments(params=url))).values()
    assert question["params"] == {k: v for k, v in url.items() if k != "elicitationId"}


def script(*steps):
    return {"steps": list(steps)}


def ask(id, method="roots/list", **params):
    return {"call_back": {"jsonrpc": "2.0", "id": id, "method": method, **({"params": params} if params else {})}}


def test_questions_of_one_breath_go_together_and_an_answer_that_lacks_is_asked_for_again(m):
    args = script(ask("one"), ask("two"), {"wait": 700}, {"answer": "done"})
    parked = start(m, args, "f__script")
    assert set(is_parked(parked)) == {"r1", "r2"}
    again = go_on(m, args, parked, {"r2": ROOTS, "r9": {}}, "f__script")
    assert set(is_parked(again)) == {"r1"} and again["requestState"] != parked["requestState"]
    done = go_on(m, args, again, {"r1": ROOTS}, "f__script")
    assert text_of(done) == "done"
    assert received(m).count("file:///a") >= 2


def test_several_rounds(m):
    args = script(ask(1), {"wait": 300}, ask(2), {"wait": 300}, {"answer": "done"})
    parked = start(m, args, "f__script")
    keys = list(is_parked(parked))
    parked = go_on(m, args, parked, {keys[0]: ROOTS}, "f__script")
    assert list(is_parked(parked)) == ["r2"]
    assert text_of(go_on(m, args, parked, {"r2": ROOTS}, "f__script")) == "done"


def refused(m, args, state, tool="f__ask", responses=None):
    message = modern(77, "tools/call", {"name": tool, "arguments": args, "requestState": state, "inputResponses": responses or {"r1": ACCEPTED}}, capabilities=CAN)
    status, error = m.error(message)
    assert error["code"] == -32602, error
    return status


def test_a_state_that_is_changed_used_or_of_another_request_is_refused(m):
    args = arguments()
    parked = start(m, args)
    state = parked["requestState"]
    assert refused(m, args, state + "x") == 200
    refused(m, args, state[:-2] + ("AA" if state[-2:] != "AA" else "BB"))
    refused(m, args, "sluice.")
    refused(m, {**args, "more": 1}, state)
    refused(m, args, state, tool="f__echo")
    refused(m, args, state, responses={"r1": 5})
    answered(go_on(m, args, parked, {"r1": ACCEPTED}))
    refused(m, args, state)
    assert received(m).count("elicitation/create") == 1


@pytest.mark.parametrize("state", ["theirs", "", 7, None])
def test_a_state_that_no_server_here_can_have_given_is_refused(m, state):
    refused(m, {"text": "x"}, state, tool="f__echo")
    assert received(m).count("tools/call") == 1  # this one


def test_a_state_waits_until_it_is_known_who_can_have_given_it(sluice):
    """A lazy server's kind is not known before it is asked something."""
    for era, fate in (("legacy", "refused"), ("modern", "taken")):
        s = sluice.http(servers(f=fake(era=era, start_delay=0.3, more={"startup": "lazy"})))
        with ModernHttp(s.address) as m:
            message = modern(7, "tools/call", {"name": "f__echo", "arguments": {"text": "x"}, "requestState": "theirs"}, capabilities=CAN)
            [answer] = m.messages(message)
            assert ("error" in answer) == (fate == "refused"), answer
            assert received(m).count('\\"name\\":\\"echo\\"') == (fate == "taken")


@pytest.mark.parametrize("responses", [5, None, [], "r1"])
def test_answers_that_are_no_object_are_refused(m, responses):
    args = arguments()
    parked = start(m, args)
    message = modern(7, "tools/call", {"name": "f__ask", "arguments": args, "requestState": parked["requestState"], "inputResponses": responses}, capabilities=CAN)
    assert m.error(message)[1]["code"] == -32602
    message = modern(8, "tools/call", {"name": "f__ask", "arguments": args, "inputResponses": responses}, capabilities=CAN)
    assert m.error(message)[1]["code"] == -32602
    answered(go_on(m, args, parked, {"r1": ACCEPTED}))


PAGE = {"mode": "url", "url": "https://example.com/sign-in", "message": "Sign in", "elicitationId": "e1"}


@pytest.fixture
def signed_in(sluice):
    """A legacy server that wants its user to sign in: [true] once that is done."""
    done = [False]

    def answer(request):
        if done[0]:
            return None
        error = {"code": -32042, "message": "sign in", "data": {"elicitations": [PAGE]}}
        body = json.dumps({"jsonrpc": "2.0", "id": request.message["id"], "error": error}).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    with FakeHttpServer("legacy", fail={"tools/call": answer}) as server:
        yield sluice.http(servers(f=server.entry())), server, done


def test_a_page_that_is_needed_first_is_a_question(signed_in):
    s, server, done = signed_in
    with ModernHttp(s.address) as m:
        parked = start(m, {"text": "x"}, "f__echo")
        [(key, question)] = is_parked(parked).items()
        assert question == {"method": "elicitation/create", "params": {k: v for k, v in PAGE.items() if k != "elicitationId"}}
        again = go_on(m, {"text": "x"}, parked, {key: {"action": "accept"}}, "f__echo")
        assert set(is_parked(again)) == {key}
        done[0] = True
        assert text_of(go_on(m, {"text": "x"}, again, {key: {"action": "accept"}}, "f__echo")) == "x"
        sent = [r.params for r in server.seen("tools/call")]
        assert len(sent) == 3 and all({"name", "arguments"} == set(p) - {"_meta"} for p in sent)
        refused(m, {"text": "x"}, again["requestState"], "f__echo")
        refused(m, {"text": "other"}, parked["requestState"], "f__echo")
        assert len(server.seen("tools/call")) == 3


def test_a_page_that_the_client_does_not_open_ends_the_call(signed_in):
    s, server, _ = signed_in
    with ModernHttp(s.address) as m:
        parked = start(m, {}, "f__echo")
        result = go_on(m, {}, parked, {"u1": {"action": "decline"}}, "f__echo")
        assert result["isError"] and "not agreed" in text_of(result)
        message = modern(5, "tools/call", {"name": "f__echo", "arguments": {}}, capabilities={"elicitation": {}})
        status, error = m.error(message)
        assert (status, error["code"], error["data"]) == (400, -32021, {"requiredCapabilities": {"elicitation": {"url": {}}}})
        assert len(server.seen("tools/call")) == 2


def test_a_page_that_is_needed_first_is_told_to_legacy_clients_as_they_can_hear_it(signed_in):
    s, _, _ = signed_in
    with s.client(capabilities=CAN) as c:
        with pytest.raises(RpcError) as e:
            c.call("f__echo", {})
        assert (e.value.code, e.value.data) == (-32042, {"elicitations": [{**PAGE, "elicitationId": "f/e1"}]})
    with s.client(capabilities={"elicitation": {}}) as c:
        result = c.call("f__echo", {})
        assert result["isError"] and PAGE["url"] in text_of(result)


def test_a_client_that_cannot_is_not_asked(m):
    answer = answered(start(m, arguments(), capabilities={"roots": {}}))
    assert answer["error"]["code"] == -32601


FAILURES = {
    "a result that is an error": '{"jsonrpc":"2.0","id":$ID,"result":{"isError":true,"content":[]}}',
    "an error": '{"jsonrpc":"2.0","id":$ID,"error":{"code":-32603,"message":"no"}}',
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_a_call_would_have_needed_is_told_when_it_fails_for_that(m, name):
    steps = [{"call_back": {"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": SAMPLING}}, {"wait": 200}]
    params = {"name": "f__script", "arguments": {"steps": [*steps, {"line": FAILURES[name]}]}}
    status, error = m.error(modern(5, "tools/call", params, capabilities={"elicitation": {}}))
    assert (status, error["code"]) == (400, -32021)
    assert error["data"] == {"requiredCapabilities": {"sampling": {}}}


def test_a_failure_that_has_other_reasons_stays_what_it_is(m):
    params = {"name": "f__script", "arguments": {"steps": [{"line": FAILURES["an error"]}]}}
    assert m.error(modern(5, "tools/call", params))[1]["code"] == -32603


def test_where_a_modern_client_cannot_be_asked_the_server_is_refused(sluice):
    knobs = {"on": {"completion/complete": [ask("q"), {"wait": 100}]}, "prompts": ["p"]}
    s = sluice.http(servers(f=fake(knobs)))
    with ModernHttp(s.address) as m:
        m.ask("completion/complete", {"ref": {"type": "ref/prompt", "name": "f__p"}, "argument": {"name": "a", "value": ""}}, capabilities=CAN)
        wait_until(lambda: '\\"code\\":-32602' in received(m))


def test_prompts_and_resources_are_parked_too(sluice):
    def later(member):
        return {"line": '{"jsonrpc":"2.0","id":$ID,"result":{"%s":[]}}' % member}

    on = {"prompts/get": [ask("q"), {"wait": 400}, later("messages")], "resources/read": [ask("r"), {"wait": 400}, later("contents")]}
    knobs = {"on": on, "prompts": ["p"], "resources": ["u:1"]}
    s = sluice.http(servers(f=fake(knobs)))
    with ModernHttp(s.address) as m:
        for method, params in (("prompts/get", {"name": "f__p"}), ("resources/read", {"uri": "u:1"})):
            parked = m.ask(method, params, capabilities=CAN)
            keys = list(is_parked(parked))
            more = {"requestState": parked["requestState"], "inputResponses": {keys[0]: ROOTS}}
            assert m.ask(method, {**params, **more}, capabilities=CAN)["resultType"] == "complete"


def test_what_the_server_said_meanwhile_is_kept_for_the_client(m):
    args = script(ask(1), {"wait": 100}, {"answer": "already"})
    parked = start(m, args, "f__script")
    wait_until(lambda: "nobody has answered" in received(m))
    assert text_of(go_on(m, args, parked, {"r1": ROOTS}, "f__script")) == "already"


def test_a_server_that_died_meanwhile_is_told_to_the_client(m):
    args = script(ask(1), {"wait": 100}, {"exit": 3})
    parked = start(m, args, "f__script")
    wait_until(lambda: "tools/call" in received(m))
    with pytest.raises(RpcError) as e:
        go_on(m, args, parked, {"r1": ROOTS}, "f__script")
    assert e.value.data["reason"] == "backend_exited"


def test_a_question_that_is_taken_back_needs_no_answer(m):
    take_back = {"line": {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "q"}}}
    args = script(ask("q"), {"wait": 150}, take_back, {"wait": 300}, {"answer": "alone"})
    parked = start(m, args, "f__script")
    assert text_of(go_on(m, args, parked, {"r1": ROOTS}, "f__script")) == "alone"


def test_time_is_up_for_a_client_that_does_not_come_back(sluice):
    s = sluice.http(servers(f=fake(more={"requestTimeout": 0.2 * PATIENCE, "maxRequestTimeout": 0.8 * PATIENCE})))
    with ModernHttp(s.address) as m:
        args = arguments()
        parked = start(m, args)
        wait_until(lambda: "notifications/cancelled" in received(m))
        assert '\\"action\\":\\"cancel\\"' in received(m)
        refused(m, args, parked["requestState"])


def test_parked_calls_do_not_count_for_others(gateway, m):
    args = arguments()
    parked = start(m, args)
    with ModernHttp(gateway.address) as other:
        theirs = start(other, arguments("roots/list", None))
        assert answered(go_on(other, arguments("roots/list", None), theirs, {"r1": ROOTS}))["result"] == ROOTS
    assert answered(go_on(m, args, parked, {"r1": ACCEPTED}))["result"] == ACCEPTED


def test_two_modern_calls_at_work_are_a_doubt(gateway, m):
    with gateway.client() as legacy:
        slow = legacy.in_background(call(1, "f__sleep", {"ms": 600}))
        wait_until(lambda: gateway.health()["in_flight"] == 1)
        assert answered(start(m, arguments()))["error"]["code"] == -32602
        slow.join()


def test_when_it_drains_a_parked_call_may_be_finished_and_no_new_one_begins(sluice):
    s = sluice.http(servers(f=fake()), "--grace-period", "20s")
    with ModernHttp(s.address) as m, ModernHttp(s.address) as late:
        args = arguments()
        parked = start(m, args)
        s.signal(15)
        s.log.wait("phase", to="draining")
        r = late.post(modern(1, "tools/call", {"name": "f__echo", "arguments": {}}))
        assert r.status == 503
        assert answered(go_on(m, args, parked, {"r1": ACCEPTED}))["result"] == ACCEPTED
    assert s.wait() == 0


def test_a_parked_call_that_nobody_comes_back_for_is_cut_at_stop(sluice):
    s = sluice.http(servers(f=fake()), "--grace-period", "3s")
    with ModernHttp(s.address) as m:
        start(m, arguments())
        s.signal(15)
        assert s.wait() == 0


def test_over_stdio(sluice):
    s = sluice.stdio(servers(f=fake()))
    c = s.stdio_client()
    args = arguments()
    params = {"name": "f__ask", "arguments": args}
    c.send(modern("a", "tools/call", params, capabilities=CAN))
    parked = c.answer_of("a")["result"]
    is_parked(parked)
    more = {"requestState": parked["requestState"], "inputResponses": {"r1": ACCEPTED}}
    c.send(modern("b", "tools/call", {**params, **more}, capabilities=CAN))
    assert answered(c.answer_of("b")["result"])["result"] == ACCEPTED
