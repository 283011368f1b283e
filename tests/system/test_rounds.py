"""Legacy clients of a modern server (2026-07-28) that needs something of them meanwhile: they are asked as a legacy
server would ask, and the request is sent again with the answers (table C4 of the protocol notes)."""

import pytest

from asking import ACCEPTED, ALL, FORM, SAMPLING, OpenCall, reply
from fake_http_server import FakeHttpServer, dumps
from harness import fake, servers
from mcp_client import RpcError, text_of
from test_server_requests import CHOICE, OLDER_CHOICE, SEVERAL

DONE = {"resultType": "complete", "content": [{"type": "text", "text": "done"}]}


def needs(requests=None, state=None):
    result = {"resultType": "input_required"}
    if requests is not None:
        result["inputRequests"] = requests
    return result if state is None else {**result, "requestState": state}


class Script:
    """A modern server whose answers to tools/call (or another method) are given one after another."""

    def __init__(self, *results, method="tools/call", **knobs):
        self.results, self.asked = list(results), []
        self.server = FakeHttpServer("modern", fail={method: self.answer}, **knobs)

    def answer(self, request):
        params = {k: v for k, v in request.params.items() if k != "_meta"}
        self.asked.append(params)
        result = self.results.pop(0)
        body = dumps({"jsonrpc": "2.0", "id": request.message["id"], "result": result}).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


@pytest.fixture
def script():
    made = []

    def make(*results, **more):
        made.append(Script(*results, **more))
        return made[-1]

    yield make
    for one in made:
        one.server.close()


FORM_REQUEST = {"method": "elicitation/create", "params": FORM}


def test_the_client_is_asked_and_its_answers_go_back_with_the_state(sluice, script):
    first = needs({"a": FORM_REQUEST, "b": {"method": "sampling/createMessage", "params": SAMPLING}}, "st/ä")
    one = script(first, needs({"c": {"method": "roots/list"}}), DONE)
    s = sluice.http(servers(f=one.server.entry()))
    with s.client(capabilities=ALL) as c:
        o = OpenCall(c, "f__echo", {"text": "x"})
        questions = {m["method"]: m for m in (o.next(), o.next())}
        assert questions["elicitation/create"]["params"] == FORM
        reply(c, questions["sampling/createMessage"], {"model": "m"})
        reply(c, questions["elicitation/create"], ACCEPTED)
        third = o.next()
        assert third["method"] == "roots/list"
        reply(c, third, {"roots": []})
        assert o.text() == "done"
    params = {"name": "echo", "arguments": {"text": "x"}}
    assert one.asked == [
        params,
        {**params, "inputResponses": {"a": ACCEPTED, "b": {"model": "m"}}, "requestState": "st/ä"},
        {**params, "inputResponses": {"c": {"roots": []}}},
    ]


def test_a_state_alone_is_sent_again(sluice, script):
    one = script(needs(state="1"), needs(state="2"), DONE)
    s = sluice.http(servers(f=one.server.entry()))
    with s.client() as c:
        assert c.text("f__echo", {}) == "done"
    assert [a.get("requestState") for a in one.asked] == [None, "1", "2"]


def test_what_cannot_be_asked_is_said(sluice, script):
    one = script(needs({"who": FORM_REQUEST}), needs({"who": FORM_REQUEST}), method="tools/call")
    s = sluice.http(servers(f=one.server.entry()))
    with s.client() as c:
        result = c.call("f__echo", {})
        assert result["isError"] and "who" in text_of(result)
    with s.client(capabilities=ALL) as c:
        o = OpenCall(c, "f__echo", {})
        reply(c, o.next(), error={"code": -1, "message": "no"})
        assert o.next()["result"]["isError"]
    assert len(one.asked) == 2


def test_forms_are_put_in_the_words_of_an_older_client_or_said_to_be_impossible(sluice, script):
    def needs_form(field):
        return needs({"who": {"method": "elicitation/create", "params": {"mode": "form", "message": "m", "requestedSchema": {"type": "object", "properties": {"a": field}}}}})

    one = script(needs_form(CHOICE), DONE, needs_form(SEVERAL))
    s = sluice.http(servers(f=one.server.entry()))
    with s.client(revision="2025-06-18", capabilities={"elicitation": {}}) as c:
        o = OpenCall(c, "f__echo", {})
        question = o.next()
        assert question["params"] == {"message": "m", "requestedSchema": {"type": "object", "properties": {"a": OLDER_CHOICE}}}
        reply(c, question, ACCEPTED)
        assert o.text() == "done"
        result = c.call("f__echo", {})
        assert result["isError"] and "who" in text_of(result)
    assert len(one.asked) == 3


def test_of_a_prompt_it_is_an_error(sluice, script):
    one = script(needs({"who": FORM_REQUEST}), method="prompts/get", prompts=["p"])
    s = sluice.http(servers(f=one.server.entry()))
    with s.client() as c, pytest.raises(RpcError) as e:
        c.request("prompts/get", {"name": "f__p"})
    assert e.value.code == -32603


def test_a_modern_server_over_stdio_is_asked_again_too_but_not_for_ever(sluice):
    s = sluice.http(servers(f=fake(era="modern")))
    again = '{"jsonrpc":"2.0","id":$ID,"result":{"resultType":"input_required","requestState":"s"}}'
    with s.client() as c:
        result = c.call("f__script", {"steps": [{"line": again}]})
        assert result["isError"] and "again and again" in text_of(result)
        assert c.text("f__received").count('\\"requestState\\":\\"s\\"') == 8
