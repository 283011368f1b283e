"""The modern revision (2026-07-28) over stdio: one process, one channel, each message tells of which revision it is."""

import pytest

from harness import PATIENCE, example, fake, servers, wait_until
from mcp_client import request, text_of, unwrap
from modern_client import MODERN, PREFIX, SUBSCRIPTION, is_stamped, meta, modern

LEGACY = "2025-11-25"


class Modern:
    """Asks over the lines of a McpStdio."""

    def __init__(self, lines):
        self.lines = lines

    def ask(self, method, params=None, **meta_keys):
        id = next(self.lines.ids)
        self.lines.send(modern(id, method, params, **meta_keys))
        return unwrap(self.lines.answer_of(id))

    def call(self, tool, arguments=None, **meta_keys):
        return self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, **meta_keys)

    def error(self, message):
        self.lines.send(message)
        return self.lines.answer_of(message["id"])["error"]

    def listen(self, id, **topics):
        """Opens a listen; the acknowledgement is the next message about it."""
        self.lines.send(modern(id, "subscriptions/listen", {"notifications": topics}))
        return self.news()

    def news(self):
        """The next notification."""
        while not self.lines.notifications:
            m = self.lines.recv()
            assert "method" in m, m
            self.lines.notifications.append(m)
        return self.lines.notifications.pop(0)


@pytest.fixture
def front(sluice):
    s = sluice.stdio(servers(ex=example()))
    m = Modern(s.stdio_client())
    m.process = s
    return m


def finish(m, code=0):
    m.process.process.stdin.close()
    m.lines.wait_eof()
    assert m.process.wait() == code


def test_discover_may_be_the_first_thing_said(front):
    result = front.ask("server/discover")
    assert is_stamped(result, cacheable=True) and result["supportedVersions"][0] == MODERN
    assert is_stamped(front.ask("tools/list"), cacheable=True)
    assert text_of(front.call("ex__echo", {"text": "a"})) == "a"
    assert is_stamped(front.ask("prompts/get", {"name": "ex__hello", "arguments": {"name": "a"}}))
    finish(front)


@pytest.mark.parametrize(
    "message, code",
    [
        (modern(1, "tools/list", version="v999"), -32022),
        (modern(1, "tools/list", version=LEGACY), -32022),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {PREFIX + "protocolVersion": MODERN}}}, -32602),
        (modern(1, "tools/list", level="loud"), -32602),
        (modern(1, "ping"), -32601),
        (modern(1, "initialize"), -32601),
        (modern(1, "logging/setLevel", {"level": "info"}), -32601),
        (modern(1, "resources/subscribe", {"uri": "a:"}), -32601),
        (modern(1, "unknown/method"), -32601),
        (modern("id", "tools/call", {"name": "nobody"}), -32602),
        (modern(1, "resources/read", {"uri": "test://nowhere"}), -32602),
        (modern(1, "subscriptions/listen"), -32602),
    ],
)
def test_what_is_wrong_is_said(front, message, code):
    assert front.error(message)["code"] == code


def test_one_process_may_see_both_kinds(front):
    assert front.ask("server/discover")
    hello = front.lines.initialize(LEGACY).hello
    assert hello["protocolVersion"] == LEGACY and "resultType" not in hello
    assert front.lines.text("ex__echo", {"text": "legacy"}) == "legacy"
    assert is_stamped(front.call("ex__echo", {"text": "modern"}))
    assert front.lines.request("ping") == {}
    finish(front)


def test_a_legacy_client_alone_is_served_as_ever(front):
    front.lines.initialize(LEGACY)
    front.lines.send(request(9, "server/discover"))
    assert front.lines.answer_of(9)["error"]["code"] == -32601
    finish(front)


def test_progress_and_log_messages_come_before_the_answer(front):
    message = modern("p", "tools/call", {"name": "ex__progress", "arguments": {"steps": 3, "ms": 5}})
    message["params"]["_meta"]["progressToken"] = 5
    front.lines.send(message)
    assert is_stamped(unwrap(front.lines.answer_of("p")))
    assert [n["params"]["progressToken"] for n in front.lines.notifications] == [5, 5, 5]
    front.lines.notifications.clear()
    front.call("ex__log", {"level": "warning", "text": "unasked"})
    front.call("ex__log", {"level": "warning", "text": "asked"}, level="info")
    assert [n["params"]["data"] for n in front.lines.notifications] == ["asked"]


@pytest.mark.parametrize("with_meta", [True, False])
def test_a_cancelled_request_is_cancelled_at_the_server_and_not_answered(sluice, tmp_path, with_meta):
    record = tmp_path / "record"
    record.touch()
    s = sluice.stdio(servers(f=fake(record=str(record))))
    m = Modern(s.stdio_client())
    m.lines.send(modern("long", "tools/call", {"name": "f__sleep", "arguments": {"ms": 60000}}))
    wait_until(lambda: "60000" in record.read_text(), what="the call at the server")
    params = {"requestId": "long"} | ({"_meta": meta()} if with_meta else {})
    m.lines.notify("notifications/cancelled", params)
    wait_until(lambda: "notifications/cancelled" in record.read_text(), what="the cancel at the server")
    assert text_of(m.call("f__echo", {"text": "on"})) == "on"
    assert '"long"' not in m.lines.answers


def test_listens_share_the_channel(front):
    assert front.listen("t", toolsListChanged=True)["params"] == {
        "_meta": {SUBSCRIPTION: "t"},
        "notifications": {"toolsListChanged": True},
    }
    assert front.listen(7, toolsListChanged=True, promptsListChanged=True)["params"]["_meta"] == {SUBSCRIPTION: 7}
    assert front.listen("p", promptsListChanged=True)["method"] == "notifications/subscriptions/acknowledged"
    front.ask("tools/list")
    front.call("ex__change")
    news = [front.news(), front.news()]
    assert {n["method"] for n in news} == {"notifications/tools/list_changed"}
    assert [n["params"]["_meta"][SUBSCRIPTION] for n in news] == ["t", 7]
    # one is given up
    front.lines.notify("notifications/cancelled", {"requestId": "t"})
    front.call("ex__change")
    assert front.news()["params"]["_meta"][SUBSCRIPTION] == 7
    assert front.lines.notifications == []
    # the others end with a result each
    front.process.process.stdin.close()
    ends = [front.lines.recv(), front.lines.recv()]
    assert {end["id"] for end in ends} == {7, "p"}
    for end in ends:
        assert end["result"]["resultType"] == "complete" and end["result"]["_meta"][SUBSCRIPTION] == end["id"]
    front.lines.wait_eof()
    assert front.process.wait() == 0


def test_too_many_listens_are_refused(front):
    for id in range(64):
        assert front.listen(id, toolsListChanged=True)["params"]["_meta"] == {SUBSCRIPTION: id}
    error = front.error(modern("more", "subscriptions/listen", {"notifications": {}}))
    assert (error["data"]["reason"], error["data"]["outcome"]) == ("overloaded", "not_sent")
    front.lines.notify("notifications/cancelled", {"requestId": 3})
    assert front.listen("again", toolsListChanged=True)["params"]["_meta"] == {SUBSCRIPTION: "again"}


def test_a_call_in_flight_is_answered_at_the_end_of_input(front):
    front.lines.send(modern("slow", "tools/call", {"name": "ex__sleep", "arguments": {"ms": 300 * PATIENCE}}))
    front.process.process.stdin.close()
    assert is_stamped(unwrap(front.lines.answer_of("slow")))
    front.lines.wait_eof()
    assert front.process.wait() == 0
