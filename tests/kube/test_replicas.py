"""Several replicas with the same keys, behind a balancer that knows no affinity: every replica serves every session, and
what one process has in hand is told honestly by the others. docs/clients.md, "Several replicas", has the table; each of
its rows is a test here."""

import asyncio
import base64
import contextlib
import os
import threading
import time

import pytest

from asking import ACCEPTED, ALL, FORM, asking, reply
from fake_http_server import FakeHttpServer
from harness import PATIENCE, example, fake, servers, wait_until
from http_client import EventStream
from kit.clock import Clock
from kit.endpoints import Endpoint, Proxy
from mcp_client import NEWEST, McpHttp, RpcError, call, dumps, notification, request, text_of
from modern_client import ModernHttp, modern
from reloading import Mount, Reloading
from sse_client import McpSse


def secret():
    return base64.b64encode(os.urandom(32)).decode()


def key(id="k"):
    return {"id": id, "secret": secret()}


class InTurn(Proxy):
    """Each new connection goes to the next endpoint."""

    turn = 0

    def pick(self, address):
        self.turn += 1
        return self.endpoints[self.turn % len(self.endpoints)] if self.endpoints else None


class Balancer:
    """The kit's proxy on a thread of its own, in front of replicas that come and go."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.proxy = self.run(self._start())
        self.address = f"127.0.0.1:{self.proxy.port}"

    async def _start(self):
        return await InTurn(Clock()).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10 * PATIENCE)

    def leads_to(self, *replicas):
        ports = [int(r.address.rpartition(":")[2]) for r in replicas]
        self.proxy.endpoints = tuple(Endpoint(f"pod-{p}", p, True, True, False) for p in ports)

    def close(self):
        self.run(self.proxy.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


class Wanderer(McpHttp):
    """A client that opens a connection for each request, so that each goes to another replica."""

    def connection(self):
        self.close()
        return super().connection()


@pytest.fixture
def balancer():
    b = Balancer()
    yield b
    b.close()


@pytest.fixture
def pair(sluice):
    """Two replicas of one configuration, and a way to the session of a client at the one from the other."""
    return lambda **more: Pair(sluice, **more)


class Pair:
    def __init__(self, sluice, server=None, count=2, **blocks):
        blocks.setdefault("session", {"keys": [key()]})
        self.config = servers(ex=server or example(), **blocks)
        self.replicas = [sluice.http(self.config) for _ in range(count)]
        self.here, self.there = self.replicas[:2]

    @contextlib.contextmanager
    def client(self, **initialize):
        """The same session at both."""
        with self.here.client(**initialize) as c, self.there.raw_client() as elsewhere:
            elsewhere.session, elsewhere.revision = c.session, c.revision
            yield c, elsewhere


def in_flight(s, n):
    wait_until(lambda: s.health()["in_flight"] == n, what=f"{n} calls in flight")


# what every replica does


def test_a_client_that_comes_to_another_replica_each_time_has_one_session(pair, balancer):
    p = pair(server=fake(), count=3)
    balancer.leads_to(*p.replicas)
    with Wanderer(balancer.address) as c:
        c.initialize()
        assert "ex__echo" in c.tool_names()
        pids = {c.text("ex__pid") for _ in range(9)}
        assert len(pids) == 3, "each replica has a server of its own, and all were used"
        for n in range(12):
            assert c.text("ex__echo", {"text": str(n)}) == str(n)
    for s in p.replicas:
        wait_until(lambda s=s: s.health()["active_clients"] == 1, what="the one session")


def test_the_handshake_itself_may_be_spread(pair):
    """`initialized` goes to another replica than `initialize`, as do `ping` and a second client's first list."""
    p = pair()
    with p.client() as (_, elsewhere):
        assert elsewhere.post(notification("notifications/initialized")).status == 202
        assert elsewhere.request("ping") == {}
        assert "ex__echo" in elsewhere.tool_names()


def test_a_server_over_http_gets_a_session_from_each_replica_when_it_is_first_used_there(pair):
    server = FakeHttpServer("legacy")
    try:
        p = pair(server={"url": server.url})
        with p.client(capabilities=ALL) as (c, elsewhere):
            c.text("ex__echo", {"text": "here"})
            before = len(server.seen("initialize"))
            elsewhere.tool_names()
            assert len(server.seen("initialize")) == before, "not before it is needed"
            elsewhere.text("ex__echo", {"text": "there"})
            elsewhere.text("ex__echo", {"text": "again"})
            told = server.seen("initialize")
            assert len(told) == before + 1, "once"
            assert told[-1].params["capabilities"] == told[-2].params["capabilities"], "what its token says"
    finally:
        server.close()


def test_a_process_of_ones_own_is_started_where_it_is_first_used(pair):
    p = pair(server=fake(more={"isolation": "session"}))
    with p.client(capabilities={"roots": {}}) as (c, elsewhere):
        mine = c.text("ex__pid")
        theirs = elsewhere.text("ex__pid")
        assert mine != theirs and (c.text("ex__pid"), elsewhere.text("ex__pid")) == (mine, theirs)
        assert '"roots"' in elsewhere.text("ex__hello"), "told what its client can do, from the token alone"


def test_a_replica_that_is_replaced_keeps_its_sessions(sluice, pair, balancer):
    """A rollout: one after another is stopped and another one started, while clients go on."""
    p = pair(count=2)
    replicas = list(p.replicas)
    balancer.leads_to(*replicas)
    with Wanderer(balancer.address) as c, Wanderer(balancer.address) as idle:
        c.initialize(), idle.initialize()
        for n in range(2):
            replicas.append(sluice.http(p.config))
            gone = replicas.pop(0)
            balancer.leads_to(*replicas)
            assert gone.terminate() == 0
            for _ in range(4):
                assert c.text("ex__echo", {"text": str(n)}) == str(n)
        assert not set(replicas) & set(p.replicas), "nobody is left that has seen the handshakes"
        assert idle.text("ex__echo", {"text": "still known"}) == "still known"


def test_a_replica_with_other_keys_says_404_and_the_client_begins_anew(sluice):
    one, other = (sluice.http(servers(ex=example(), session={"keys": [key()]})) for _ in range(2))
    with one.client() as c, other.raw_client() as d:
        d.session, d.revision = c.session, NEWEST
        r = d.post(request(1, "tools/list"))
        assert r.status == 404 and r.json()["error"]["code"] == -32001
        d.session = d.revision = None
        d.initialize()
        assert d.session != c.session and "ex__echo" in d.tool_names()


def test_a_session_that_was_ended_is_ended_where_that_was_said(pair):
    """The others are not told: there it goes on, until the seven days of its token are over."""
    p = pair()
    with p.client() as (c, elsewhere):
        assert 200 <= c.delete().status < 300
        for _ in range(2):
            assert c.post(request(1, "tools/list")).status == 404
        assert elsewhere.post(request(1, "tools/list")).status == 200
        elsewhere.delete()
        assert elsewhere.post(request(1, "tools/list")).status == 404


# keys


class Rotating:
    """Replicas whose keys come from a mounted Secret; both are changed as the kubelet does it, one after the other."""

    def __init__(self, sluice, directory, slots, **secrets):
        self.mounts = [Mount(directory / f"secret-{n}", **secrets) for n in range(2)]
        self.replicas = [Reloading(sluice, None, path=self._write(directory, n, slots)) for n in range(2)]

    def _write(self, directory, n, slots):
        keys = [{"id": slot, "secret": "${file:%s}" % self.mounts[n].path(slot)} for slot in slots]
        path = directory / f"servers-of-{n}.json"
        path.write_text(dumps(servers(ex=fake(), session={"keys": keys})))
        return path

    def swap(self, check, **secrets):
        """Calls `check` before, between and after: replicas are never changed at the same moment."""
        check()
        for mount, r in zip(self.mounts, self.replicas):
            count = len(r.s.log.find("reloaded"))
            mount.swap(**secrets)
            r.s.log.wait("reloaded", 10, count + 1)
            check()


def served_everywhere(replicas, sessions):
    for r in replicas:
        for session in sessions:
            with r.s.raw_client() as c:
                c.session, c.revision = session, NEWEST
                assert c.post(request(1, "tools/list")).status == 200


def opened(r):
    with r.s.client() as c:
        return c.session


def test_keys_are_rotated_through_a_mounted_secret_and_no_session_is_lost(sluice, tmp_path):
    """Two files, `first` and `second`, whose contents change: the new key is the second one everywhere before it becomes
    the first one anywhere."""
    old, unused, new, later = (secret() for _ in range(4))
    rotating = Rotating(sluice, tmp_path, ("first", "second"), first=old, second=unused)
    sessions = [opened(r) for r in rotating.replicas]

    def check():
        served_everywhere(rotating.replicas, sessions)
        sessions.extend(opened(r) for r in rotating.replicas)
        served_everywhere(rotating.replicas, sessions[-2:])

    rotating.swap(check, first=old, second=new)
    rotating.swap(check, first=new, second=old)
    sealed_by_new = [opened(r) for r in rotating.replicas]
    served_everywhere(rotating.replicas, sessions)
    sealed_by_old, sessions[:] = sessions[0], sealed_by_new
    rotating.swap(check, first=new, second=later)
    for r in rotating.replicas:
        with r.s.raw_client() as c:
            c.session, c.revision = sealed_by_old, NEWEST
            assert c.post(request(1, "tools/list")).status == 404, "its key is gone"


def test_a_stream_and_a_call_outlive_a_rotation(sluice, tmp_path):
    old, new = secret(), secret()
    rotating = Rotating(sluice, tmp_path, ("first", "second"), first=old, second=secret())
    here = rotating.replicas[0].s
    with here.client() as c:
        stream = c.get_stream()
        going = c.in_background(call("long", "ex__sleep", {"ms": 1500 * PATIENCE}))
        in_flight(here, 1)
        rotating.swap(lambda: None, first=old, second=new)
        rotating.swap(lambda: None, first=new, second=old)
        assert "result" in going.join()
        assert stream.drain(0.2) == []
        stream.connection.close()


def test_a_parked_call_outlives_a_rotation(sluice, tmp_path):
    old, new = secret(), secret()
    rotating = Rotating(sluice, tmp_path, ("first", "second"), first=old, second=secret())
    params = {"name": "ex__ask", "arguments": {"method": "elicitation/create", "params": FORM}}
    can = {"elicitation": {"form": {}}}
    with ModernHttp(rotating.replicas[0].s.address) as m:
        parked = m.ask("tools/call", params, capabilities=can)
        [name] = parked["inputRequests"]
        rotating.swap(lambda: None, first=old, second=new)
        rotating.swap(lambda: None, first=new, second=old)
        retry = {**params, "requestState": parked["requestState"], "inputResponses": {name: ACCEPTED}}
        assert "Ann" in text_of(m.ask("tools/call", retry, capabilities=can))


def test_a_configuration_that_names_a_key_before_the_secret_is_there_waits_for_it(sluice, tmp_path):
    """ConfigMap and Secret are brought into a pod at different moments."""
    old, new = secret(), secret()
    mount = Mount(tmp_path / "secret", old=old)
    keys = [{"id": "old", "secret": "${file:%s}" % mount.path("old")}]
    r = Reloading(sluice, servers(ex=example(), session={"keys": keys}))
    session = opened(r)
    more = [{"id": "new", "secret": "${file:%s}" % mount.path("new")}, *keys]
    r.reload(servers(ex=example(), session={"keys": more}), "reload_failed")
    served_everywhere([r], [session])
    (mount.folder / "new").symlink_to("..data/new")
    mount.swap(old=old, new=new)
    r.s.log.wait("reloaded", 10)
    served_everywhere([r], [session, opened(r)])


# what needs the same replica: the table of docs/clients.md


def test_row_cancelled_notifications_have_no_effect_elsewhere(pair):
    p = pair()
    with p.client() as (c, elsewhere):
        going = c.in_background(call("a", "ex__sleep", {"ms": 600 * PATIENCE}))
        in_flight(p.here, 1)
        assert elsewhere.post(notification("notifications/cancelled", {"requestId": "a"})).status == 202
        assert "result" in going.join()


def test_row_answers_to_servers_are_dropped_elsewhere(pair):
    p = pair(server=fake(more={"requestTimeout": "1s"}))
    with p.client(capabilities=ALL) as (c, elsewhere):
        open_call, question = asking(c, "elicitation/create", FORM, tool="ex__ask")
        reply(elsewhere, question, ACCEPTED)
        assert open_call.stream.drain(0.3) == []
        reply(c, question, ACCEPTED)
        assert "Ann" in open_call.text(), "the server still waited for the right one"


def test_row_a_stream_that_is_resumed_elsewhere_gets_its_error_at_once(pair):
    p = pair()
    with p.client() as (c, elsewhere):
        cut = c.fork()
        r = cut.post(call("gone", "ex__progress", {"steps": 30, "ms": 50}, token="t"))
        stream = EventStream(r.connection, r)
        while not (event := stream.next()).data:
            pass
        r.connection.reset()
        began = time.monotonic()
        resumed = elsewhere.get_stream(Last_Event_ID=event.id)
        error = resumed.next_message()
        assert error["id"] == "gone"
        assert (error["error"]["data"]["reason"], error["error"]["data"]["outcome"]) == ("backend_exited", "unknown")
        assert resumed.next_message() is None and time.monotonic() - began < 1 * PATIENCE
        back = c.get_stream(Last_Event_ID=event.id)
        assert "result" in back.messages()[-1], "where it is, it goes on"


def test_row_news_are_those_of_each_replica(pair):
    p = pair(server=fake({"tools": ["t"]}))
    with p.client() as (c, elsewhere):
        far = elsewhere.get_stream()
        first = far.next_message()
        assert first["method"].endswith("/list_changed"), "it did not know the session: lists may have changed"
        far.drain(0.3)
        near = c.get_stream()
        change = {"set": {"tools": ["t", "u"]}}
        told = {"line": dumps(notification("notifications/tools/list_changed"))}
        c.call("ex__script", {"steps": [change, told, {"answer": "done"}]})
        assert near.next_message()["method"] == "notifications/tools/list_changed"
        assert far.drain(0.3) == [], "that server belongs to the other replica"


def test_row_news_that_are_resumed_elsewhere_are_a_stream_like_any_other(pair):
    p = pair(server=fake({"tools": ["t"]}))
    told = {"line": dumps(notification("notifications/tools/list_changed"))}
    with p.client() as (c, elsewhere):
        near = c.get_stream()
        c.call("ex__script", {"steps": [{"set": {"tools": ["u"]}}, told, {"answer": "done"}]})
        while not (event := near.next()).data:
            pass
        assert event.id
        near.connection.close()
        assert elsewhere.get_stream(Last_Event_ID=event.id).next_message()["method"].endswith("/list_changed")


def test_row_posts_to_a_stream_of_the_old_transport_are_404_elsewhere(pair):
    p = pair()
    with McpSse(p.here.address) as c:
        c.initialize()
        with p.there.connect() as other:
            r = other.exchange("POST", c.endpoint, {"Content-Type": "application/json"}, dumps(request(5, "tools/list")))
            assert r.status == 404
        assert "ex__echo" in c.tool_names()


def test_row_a_parked_call_goes_on_only_where_it_is_parked(pair):
    p = pair(server=fake())
    can = {"elicitation": {"form": {}}}
    params = {"name": "ex__ask", "arguments": {"method": "elicitation/create", "params": FORM}}
    with ModernHttp(p.here.address) as m, ModernHttp(p.there.address) as elsewhere:
        parked = m.ask("tools/call", params, capabilities=can)
        [name] = parked["inputRequests"]
        retry = {**params, "requestState": parked["requestState"], "inputResponses": {name: ACCEPTED}}
        _, error = elsewhere.error(modern(7, "tools/call", retry, capabilities=can))
        assert error["code"] == -32602
        assert "elicitation/create" not in text_of(elsewhere.call("ex__received")), "nothing is run twice"
        done = m.ask("tools/call", retry, capabilities=can)
        assert done["resultType"] == "complete" and "Ann" in text_of(done)


def test_row_subscriptions_are_those_of_each_replica(pair):
    p = pair(server=fake({"resources": ["u:1"]}))
    update = {"line": dumps(notification("notifications/resources/updated", {"uri": "u:1"}))}
    with p.client() as (c, elsewhere):
        near, far = c.get_stream(), elsewhere.get_stream()
        far.drain(0.3)
        c.request("resources/subscribe", {"uri": "u:1"})
        for client in (c, elsewhere):
            client.call("ex__script", {"steps": [update, {"answer": "done"}]})
        assert near.next_message()["params"] == {"uri": "u:1"}
        assert far.drain(0.3) == [], "nobody has subscribed there"
        elsewhere.request("resources/subscribe", {"uri": "u:1"})
        elsewhere.call("ex__script", {"steps": [update, {"answer": "done"}]})
        assert far.next_message()["params"] == {"uri": "u:1"}


def test_row_the_log_level_is_that_of_each_replica(pair):
    p = pair(server=fake(capabilities={"logging": {}, "tools": {}}))
    log = {"line": dumps(notification("notifications/message", {"level": "debug", "data": "x"}))}
    with p.client() as (c, elsewhere):
        c.request("logging/setLevel", {"level": "debug"})
        for client, wanted in ((c, 1), (elsewhere, 0)):
            client.notifications.clear()
            client.call("ex__script", {"steps": [log, {"wait": 50}, {"answer": "done"}]})
            assert len(client.notifications) == wanted


def test_row_tasks_are_known_where_their_server_is(pair):
    p = pair(server=fake(tasks=True, capabilities={"tools": {}, "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}}))
    with p.client() as (c, elsewhere):
        made = c.request("tools/call", {"name": "ex__sleep", "arguments": {"ms": 5000}, "task": {"ttl": 60000}})
        id = made["task"]["taskId"]
        assert c.request("tasks/get", {"taskId": id})["taskId"] == id
        with pytest.raises(RpcError) as e:
            elsewhere.request("tasks/get", {"taskId": id})
        assert e.value.code == -32602
