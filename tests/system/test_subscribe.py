"""resources/subscribe, unsubscribe and updated: counted, routed, replayed (MCP 2025-11-25, Resources)."""

import json
import time

import pytest

from harness import fake, is_alive, kill_and_wait, servers, wait_until
from mcp_client import RpcError, notification
from modern_client import SUBSCRIPTION, ModernHttp


def updated(uri):
    return notification("notifications/resources/updated", {"uri": uri})


def update(client, uri, tool="f__script"):
    client.call(tool, {"steps": [{"line": updated(uri)}, {"answer": "done"}]})


def got(client, tool="f__received"):
    """The methods and URIs of what the server got about subscriptions."""
    messages = [json.loads(line) for line in json.loads(client.text(tool))]
    return [(m["method"][10:], m["params"]["uri"]) for m in messages if m.get("method", "").startswith("resources/") and "scribe" in m["method"]]


@pytest.fixture
def gateway(sluice):
    return sluice.http(servers(f=fake(resources=["u:1", "u:2"])))


def test_the_capability_is_told(gateway):
    with gateway.client() as c:
        assert c.hello["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}


def test_subscriptions_are_counted_and_updates_reach_the_subscribers(gateway):
    with gateway.client() as a, gateway.client() as b, gateway.client() as other:
        streams = [x.get_stream() for x in (a, b, other)]
        assert a.request("resources/subscribe", {"uri": "u:1"}) == {}
        assert b.request("resources/subscribe", {"uri": "u:1"}) == {}
        update(other, "u:1")
        assert streams[0].next_message() == updated("u:1")
        assert streams[1].next_message() == updated("u:1")
        assert streams[2].drain(0.2) == []
        a.request("resources/unsubscribe", {"uri": "u:1"})
        update(other, "u:1/part")
        assert streams[1].next_message() == updated("u:1/part")
        assert streams[0].drain(0.2) == []
        b.request("resources/unsubscribe", {"uri": "u:1"})
        b.request("resources/unsubscribe", {"uri": "u:1"})
        wait_until(lambda: got(other) == [("subscribe", "u:1"), ("unsubscribe", "u:1")])


def test_the_end_of_the_session_is_the_end_of_its_subscriptions(gateway):
    with gateway.client() as a, gateway.client() as b:
        a.request("resources/subscribe", {"uri": "u:2"})
        assert a.fork().delete().status == 200
        wait_until(lambda: got(b) == [("subscribe", "u:2"), ("unsubscribe", "u:2")])


def test_a_server_that_starts_anew_is_told_again(gateway):
    with gateway.client() as c:
        stream = c.get_stream()
        c.request("resources/subscribe", {"uri": "u:1"})
        c.request("resources/subscribe", {"uri": "u:2"})
        c.request("resources/unsubscribe", {"uri": "u:2"})
        kill_and_wait(int(c.text("f__pid")))
        wait_until(lambda: got(c) == [("subscribe", "u:1")])
        update(c, "u:1")
        assert updated("u:1") in stream.drain(0.3)


def test_a_server_with_subscribers_is_not_idle(sluice):
    s = sluice.http(servers(f=fake(resources=["u:1"], more={"idleTimeout": "50ms"})))
    with s.client() as c:
        c.request("resources/subscribe", {"uri": "u:1"})
        pid = int(c.text("f__pid"))
        with pytest.raises(AssertionError):
            wait_until(lambda: not is_alive(pid), 0.5)
        c.request("resources/unsubscribe", {"uri": "u:1"})
        wait_until(lambda: not is_alive(pid))


def test_each_resource_at_its_server(sluice):
    s = sluice.http(servers(a=fake(resources=["u:a"]), b=fake(resources=["u:b"]), none=fake(resources=["u:n"], subscribe=False)))
    with s.client() as c:
        c.request("resources/subscribe", {"uri": "u:b"})
        assert got(c, "b__received") == [("subscribe", "u:b")] and got(c, "a__received") == []
        with pytest.raises(RpcError) as e:
            c.request("resources/subscribe", {"uri": "u:n"})
        assert e.value.code == -32601


def test_an_error_of_the_server_is_passed_on_and_nothing_is_kept(sluice):
    s = sluice.http(servers(f=fake(resources=["u:1"], no_updates=["u:1"])))
    with s.client() as c:
        for _ in range(2):
            with pytest.raises(RpcError) as e:
                c.request("resources/subscribe", {"uri": "u:1"})
            assert e.value.code == -32002
        assert got(c) == [("subscribe", "u:1")] * 2


def test_with_a_process_per_session_each_subscribes_for_itself(sluice):
    s = sluice.http(servers(f=fake(resources=["u:1"], more={"isolation": "session"})))
    with s.client() as a, s.client() as b:
        streams = [a.get_stream(), b.get_stream()]
        a.request("resources/subscribe", {"uri": "u:1"})
        b.request("resources/subscribe", {"uri": "u:1"})
        update(a, "u:1")
        assert streams[0].next_message() == updated("u:1") and streams[1].drain(0.2) == []
        kill_and_wait(int(a.text("f__pid")))
        wait_until(lambda: got(a) == [("subscribe", "u:1")])


def test_over_stdio(sluice):
    s = sluice.stdio(servers(f=fake(resources=["u:1"])))
    c = s.stdio_client().initialize()
    assert len(c.request("resources/list")["resources"]) == 1
    c.request("resources/subscribe", {"uri": "u:1"})
    update(c, "u:1")
    assert updated("u:1") in c.notifications


def test_there_is_a_bound(sluice):
    s = sluice.http(servers(f=fake(resources=[f"u:{i}" for i in range(1025)])))
    with s.client() as c:
        for i in range(1024):
            c.request("resources/subscribe", {"uri": f"u:{i}"})
        with pytest.raises(RpcError) as e:
            c.request("resources/subscribe", {"uri": "u:1024"})
        assert e.value.code == -32602


def test_a_server_that_is_replaced_is_told_too(sluice):
    entry = fake(resources=["u:1"])
    path = sluice.write(servers(f=entry), "live.json")
    s = sluice.run("serve", "--http", "127.0.0.1:0", "--admin", "off", "--config", path, "--log-format", "json")
    s.wait_listening()
    s.wait_ready()
    with s.client() as c:
        c.request("resources/subscribe", {"uri": "u:1"})
        sluice.write(servers(f={**entry, "env": {"X": "1"}}), "live.json")
        s.signal(1)
        s.log.wait("reloaded")
        wait_until(lambda: got(c) == [("subscribe", "u:1")] and c.text("f__env", {"name": "X"}) == "1")


@pytest.mark.parametrize("knobs", [{}, {"era": "modern"}], ids=["legacy", "modern"])
def test_a_listen_is_acknowledged_with_what_the_server_agrees_to(sluice, knobs):
    s = sluice.http(servers(f=fake(resources=["u:1", "u:2"], no_updates=["u:2"], **knobs)))
    with ModernHttp(s.address) as m:
        m.ask("resources/list")
        _, ack = m.listen("l", resourceSubscriptions=["u:2", "u:1", "u:3"])
        assert ack["params"]["notifications"]["resourceSubscriptions"][0] == "u:1"
        assert "u:2" not in ack["params"]["notifications"]["resourceSubscriptions"]


def test_a_listen_does_not_wait_for_ever_for_a_server_that_says_nothing(sluice):
    s = sluice.http(servers(f=fake(resources=["u:1"], on={"resources/subscribe": [{"stderr": "$ID"}]})))
    with ModernHttp(s.address, timeout=20) as m:  # longer than what is waited for
        m.ask("resources/list")
        begun = time.monotonic()
        _, ack = m.listen("l", resourceSubscriptions=["u:1"], toolsListChanged=True)
        assert ack["params"]["notifications"] == {"toolsListChanged": True}
        assert time.monotonic() - begun >= 4


def test_streams_of_modern_clients_hear_of_updates_too(gateway):
    with gateway.client() as c, ModernHttp(gateway.address) as m:
        stream, ack = m.listen("l", resourceSubscriptions=["u:1"])
        assert ack["params"]["notifications"] == {"resourceSubscriptions": ["u:1"]}
        wait_until(lambda: got(c) == [("subscribe", "u:1")])
        c.request("resources/subscribe", {"uri": "u:1"})
        update(c, "u:1")
        assert stream.next_message()["params"] == {"_meta": {SUBSCRIPTION: "l"}, "uri": "u:1"}
        stream.connection.reset()
        c.request("resources/unsubscribe", {"uri": "u:1"})
        wait_until(lambda: got(c) == [("subscribe", "u:1"), ("unsubscribe", "u:1")])
