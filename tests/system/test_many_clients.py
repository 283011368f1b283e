"""Many clients at once, all with the same ids and tokens: nobody may ever see what is another's."""

import random
import threading
import time

import pytest

from harness import PATIENCE, example, fake, servers, wait_until
from http_client import EventStream
from mcp_client import REVISIONS, call, text_of, unwrap

CLIENTS = 200
CALLS = 8


def in_threads(n, work):
    faults = []

    def guarded(i):
        try:
            work(i)
        except BaseException as e:
            faults.append((i, repr(e)))

    threads = [threading.Thread(target=guarded, args=(i,), daemon=True) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(45 * PATIENCE)
    assert not any(t.is_alive() for t in threads), "somebody waits for ever"
    assert faults == [], f"{len(faults)} of {n}: {faults[:3]}"


@pytest.fixture
def gateway(sluice):
    return sluice.http(servers(one=example("--name", "one"), two=example("--name", "two")))


def test_two_hundred_clients_with_the_same_ids_are_never_crossed(gateway):
    def work(i):
        rng = random.Random(i)
        with gateway.client(revision=rng.choice(REVISIONS), timeout=30) as c:
            for n in range(CALLS):
                server, text = rng.choice(("one", "two")), f"client {i} call {n} {'x' * rng.randrange(2000)}"
                answer = c.ask(call(n, f"{server}__echo", {"text": text}))
                assert answer["id"] == n and text_of(unwrap(answer)) == text

    in_threads(CLIENTS, work)
    assert gateway.health()["in_flight"] == 0


def test_progress_with_the_same_token_goes_to_its_own_client(gateway):
    def work(i):
        steps = 1 + i % 5
        with gateway.client(timeout=30) as c:
            r = c.post(call("same", "one__progress", {"steps": steps, "ms": 20}, token="same"))
            messages = EventStream(r.connection, r).messages()
            assert [m["params"]["progress"] for m in messages[:-1]] == list(range(1, steps + 1))
            assert all(m["params"]["total"] == steps and m["params"]["progressToken"] == "same" for m in messages[:-1])
            assert messages[-1]["id"] == "same"

    in_threads(CLIENTS, work)


def test_slow_and_swift_calls_share_one_pipe(gateway):
    def work(i):
        with gateway.client(timeout=30) as c:
            start = time.monotonic()
            if i % 2:
                assert c.text("one__sleep", {"ms": 1000}) == "slept"
                assert time.monotonic() - start > 0.9
            else:
                for n in range(CALLS):
                    assert c.text("one__add", {"a": i, "b": n}) == str(i + n)

    in_threads(CLIENTS, work)


def test_cancelled_calls_of_some_do_not_touch_those_of_others(gateway):
    def work(i):
        with gateway.client(timeout=30) as c:
            pending = c.in_background(call("x", "one__sleep", {"ms": 800}), 30)
            if i % 2:
                time.sleep(0.3)
                c.notify("notifications/cancelled", {"requestId": "x"})
                assert pending.join()["error"]["data"]["reason"] == "cancelled"
            else:
                assert text_of(unwrap(pending.join())) == "slept"

    in_threads(100, work)
    wait_until(lambda: gateway.health()["in_flight"] == 0, what="all calls' ends")


def test_when_the_server_dies_every_client_is_told_and_served_again(sluice):
    s = sluice.http(servers(f=fake(), ex=example()))

    def work(i):
        with s.client(timeout=30) as c:
            if i == 0:
                time.sleep(0.5)
                answer = c.ask(call("x", "f__script", {"steps": [{"exit": 1}]}))
            else:
                answer = c.ask(call("x", "f__sleep", {"ms": 60000} if i % 2 else {"ms": 10}))
            if i == 0 or i % 2:
                data = answer["error"]["data"]
                assert (data["reason"], data["outcome"]) == ("backend_exited", "unknown")
            else:
                assert text_of(unwrap(answer)) == "slept"

    in_threads(60, work)
    with s.client() as c:
        assert c.text("f__echo", {"text": "again"}) == "again"


def test_one_session_on_many_connections_keeps_its_answers_apart(gateway):
    with gateway.client() as c:

        def work(i):
            with c.fork() as mine:
                mine.timeout = 30
                for n in range(CALLS):
                    id = f"{i}.{n}"
                    answer = mine.ask(call(id, "two__echo", {"text": id}))
                    assert answer["id"] == id and text_of(unwrap(answer)) == id

        in_threads(50, work)


def test_clients_that_vanish_leave_nothing_in_flight(gateway):
    def work(i):
        c = gateway.client(timeout=30)
        c.connection().request("POST", "/mcp", c.headers(), '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"one__sleep","arguments":{"ms":400}}}')
        if i % 2:
            c.connection().reset()
        else:
            c.close()

    in_threads(CLIENTS, work)
    wait_until(lambda: gateway.health()["in_flight"] == 0, what="all calls' ends")
    with gateway.client() as c:
        assert c.text("one__echo", {"text": "well"}) == "well"
