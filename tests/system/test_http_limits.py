"""Bounds of time, connections and descriptors, and clients that leave: what slow or greedy peers can and cannot do."""

import json
import os
import resource
import socket
import ssl
import threading
import time

import pytest

from harness import PATIENCE, UNDER_TLS, Launcher, example, fake, servers, wait_until
from http_client import Closed, Connection
from http_texts import CHUNKED, GET, HEAD
from mcp_client import call, dumps

# time: totals, not gaps


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    launcher = Launcher(tmp_path_factory.mktemp("hasty"))
    http = {"headerTimeout": "400ms", "bodyTimeout": "400ms", "idleTimeout": "600ms", "writeTimeout": "1s"}
    try:
        yield launcher.http(servers(ex=example(), http=http))
    finally:
        launcher.close()


def drip(connection, data, pause=0.05, limit=3.0):
    """Sends byte after byte until there is an answer; returns it with the time that it took."""
    start = time.monotonic()
    for byte in data:
        if time.monotonic() - start > limit * PATIENCE:
            break
        try:
            connection.send(bytes([byte]))
        except ConnectionError:
            break
        if not connection.is_quiet(pause):
            break
    return connection.response(1), time.monotonic() - start


def test_a_head_that_drips_gets_408(hasty):
    with hasty.connect() as c:
        r, seconds = drip(c, GET + b"X: " + b"a" * 1000)
        assert r.status == 408 and 0.3 < seconds < 2.5 * PATIENCE


def test_a_body_that_drips_gets_408(hasty):
    with hasty.connect() as c:
        c.send(HEAD + b"Content-Length: 100000\r\n\r\n")
        r, seconds = drip(c, b" " * 1000)
        assert r.status == 408 and 0.3 < seconds < 2.5 * PATIENCE


def test_a_chunked_body_that_drips_gets_408(hasty):
    with hasty.connect() as c:
        c.send(CHUNKED + b"\r\n")
        r, _ = drip(c, b"1\r\n \r\n" * 300)
        assert r.status == 408


def test_an_idle_connection_is_closed_without_a_word(hasty):
    with hasty.connect() as fresh, hasty.connect() as used:
        used.send(GET + b"\r\n")
        assert used.response().status == 200
        start = time.monotonic()
        assert used.wait_closed(4) == b"" and fresh.wait_closed(4) == b""
        assert time.monotonic() - start > 0.3


def test_a_call_may_take_longer_than_all_those_times(hasty):
    with hasty.client() as c:
        assert c.text("ex__sleep", {"ms": 900}) == "slept"


def test_a_reader_that_takes_nothing_is_dropped_and_harms_nobody(hasty):
    with hasty.client() as c:
        slow = Connection(hasty.address, receive_buffer=4096)
        body = dumps(call(1, "ex__big", {"bytes": 30_000_000}))
        slow.request("POST", "/mcp", c.headers(), body)
        time.sleep(0.2)
        for _ in range(5):
            assert c.text("ex__echo", {"text": "swift"}) == "swift"
        c.close()
        time.sleep(1.6)
        with pytest.raises((Closed, TimeoutError)):
            for _ in range(40):
                slow._exactly(1_000_000, time.monotonic() + 2)
        assert c.text("ex__echo", {"text": "swift"}) == "swift"


def test_two_hundred_dripping_clients_keep_nobody_waiting(hasty):
    drips = [hasty.connect() for _ in range(200)]
    for c in drips:
        c.send(b"GET /livez HT")
    with hasty.client() as c:
        start = time.monotonic()
        for _ in range(20):
            c.text("ex__echo", {"text": "x"})
        assert time.monotonic() - start < 2 * PATIENCE
    for c in drips:
        c.close()


# clients that leave


def open_fds(s):
    return len(os.listdir(f"/proc/{s.pid}/fd"))


@pytest.mark.parametrize("way", ["reset", "close"])
def test_a_client_that_leaves_during_its_call_is_noticed(sluice, way):
    s = sluice.http(servers(ex=example()))
    with s.client() as c:
        before = open_fds(s)
        leaving = s.connect()
        leaving.request("POST", "/mcp", c.headers(), dumps(call(1, "ex__sleep", {"ms": 1500})))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        leaving.reset() if way == "reset" else leaving.close()
        if way == "reset":
            wait_until(lambda: open_fds(s) <= before, 1.2, "the connection's end")
        wait_until(lambda: s.health()["in_flight"] == 0, what="the call's end")
        wait_until(lambda: open_fds(s) <= before, what="the connection's end")


def test_a_half_closed_client_still_gets_its_answer(client, shared):
    with shared.connect() as c:
        c.request("POST", "/mcp", client.headers(), dumps(call(1, "ex__sleep", {"ms": 100})))
        c.half_close()
        assert c.response().json()["result"]["content"][0]["text"] == "slept"
        assert c.wait_closed() == b""


def test_a_half_close_inside_a_request_ends_the_connection(shared):
    for part in (b"", b"GET /livez", HEAD + b"Content-Length: 10\r\n\r\n{}", CHUNKED + b"\r\n5\r\nab"):
        with shared.connect() as c:
            c.send(part)
            c.half_close()
            rest = c.wait_closed()
            assert rest == b"" or rest.startswith(b"HTTP/1.1 400")


def test_an_answer_is_not_lost_to_a_body_that_was_not_read(shared):
    """Closing with unread bytes makes the kernel send an RST, which may overtake the answer: hence lingering close."""
    for _ in range(10):
        with shared.connect() as c:
            c.send(HEAD + b"Content-Length: 99999999\r\n\r\n" + b"x" * 200_000)
            assert c.response().status == 413


def test_random_bytes_never_stop_it(shared):
    import random

    rng = random.Random(7)
    pieces = [b"GET ", b"POST ", b"/mcp", b" HTTP/1.1", b"\r\n", b"\n", b"Host: localhost", b"Content-Length: ", b"5", b"\r\n\r\n"]
    pieces += [b"Transfer-Encoding: chunked", b"0\r\n\r\n", b"{", b"\0", b"\xff", b": ", b" ", b"3\r\nabc\r\n"]
    for _ in range(300):
        with shared.connect() as c:
            data = b"".join(rng.choice(pieces) for _ in range(rng.randrange(1, 30)))
            try:
                c.send(data)
                c.half_close()
                c.wait_closed()
            except OSError:
                pass
    assert shared.get("/livez").status == 200


# limits of connections and descriptors


def test_connections_beyond_the_limit_get_503(sluice):
    s = sluice.http(servers(ex=example(), limits={"maxConnections": 8}))
    held = []
    for _ in range(8):
        c = s.connect()
        c.send(GET + b"\r\n")
        assert c.response().status == 200
        held.append(c)
    with s.connect() as c:
        c.send(GET + b"\r\n")
        r = c.response()
        assert r.status == 503 and r.header("retry-after")
        c.wait_closed()
    for c in held:
        c.close()
    wait_until(lambda: s.get("/livez").status == 200, what="service after the others left")


def test_the_descriptor_limit_is_raised_and_not_handed_to_children(sluice):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = min(512, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    try:
        s = sluice.http(servers(ex=example()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(s.pid, resource.RLIMIT_NOFILE)[0] == hard
    with s.client() as c:
        assert resource.prlimit(int(c.text("ex__pid")), resource.RLIMIT_NOFILE) == (low, hard)


def is_served(s):
    try:
        return s.get("/livez").status == 200
    except ssl.SSLError:  # without a descriptor there is no handshake
        return False


def test_running_out_of_descriptors_is_survived(sluice):
    s = sluice.http(servers(ex=example()))
    _, hard = resource.prlimit(s.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, (open_fds(s) + 6, hard))
    with s.client() as c:
        flood = []
        for _ in range(40):
            sock = socket.socket()
            sock.settimeout(2)
            sock.connect((s.address.rpartition(":")[0], int(s.address.rpartition(":")[2])))
            flood.append(sock)
        for _ in range(5):
            assert c.text("ex__echo", {"text": "still here"}) == "still here"
        refused = 0
        for sock in flood:
            sock.settimeout(0.05)
            try:
                refused += sock.recv(100).startswith(b"HTTP/1.1 503")
            except (socket.timeout, ConnectionError):
                pass
        assert refused > 0 or UNDER_TLS, "the reserve descriptor answers 503"  # under TLS there is no room to answer
        cpu = cpu_seconds(s.pid)
        time.sleep(0.3)
        assert cpu_seconds(s.pid) - cpu < 0.2, "it spins"
        for sock in flood:
            sock.close()
    wait_until(lambda: is_served(s), what="service after the flood")


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_an_idle_gateway_with_half_closed_clients_does_not_spin(sluice):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        stuck = []
        for n in range(3):
            k = s.connect()
            k.request("POST", "/mcp", c.headers(), dumps(call(n, "f__sleep", {"ms": 1500})))
            k.half_close()
            stuck.append(k)
        wait_until(lambda: s.health()["in_flight"] == 3, what="three calls in flight")
        cpu = cpu_seconds(s.pid)
        time.sleep(0.5)
        assert cpu_seconds(s.pid) - cpu < 0.25
        for k in stuck:
            assert k.response().status == 200
            k.close()


def test_many_connections_come_and_go(shared):
    def visit():
        for _ in range(40):
            with shared.connect() as c:
                c.send(GET + b"\r\n")
                assert c.response().status == 200

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert json.loads(shared.get("/health").body)["status"] == "ok"
