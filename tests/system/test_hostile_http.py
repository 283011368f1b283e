"""HTTP as attackers and bad clients write it. The smuggling table of the dependency study comes first: whatever is not
plainly right is refused and the connection closed, so that no two parsers in a chain can disagree."""

import json
import os
import resource
import socket
import threading
import time

import pytest

from harness import PATIENCE, example, fake, servers, wait_until
from http_client import Closed, Connection
from mcp_client import ACCEPT, call, dumps, initialize_params, request

INIT = dumps(request(1, "initialize", initialize_params())).encode()
HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: " + ACCEPT.encode() + b"\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


def with_length(body, *headers):
    lines = b"".join(h + b"\r\n" for h in headers)
    return HEAD + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunks(*parts, last=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + last


# name: (bytes, statuses that are right)
BAD = (400,)
SMUGGLING = {
    "content-length and chunked": (CHUNKED + b"Content-Length: 5\r\n\r\n" + chunks(INIT), BAD),
    "chunked and content-length": (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(INIT), BAD),
    "two differing lengths": (HEAD + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\n{}   ", BAD),
    "a list of differing lengths": (HEAD + b"Content-Length: 3, 5\r\n\r\n{}   ", BAD),
    "a length with a sign": (HEAD + b"Content-Length: +3\r\n\r\n{} ", BAD),
    "a negative length": (HEAD + b"Content-Length: -1\r\n\r\n", BAD),
    "a length in hex": (HEAD + b"Content-Length: 0x3\r\n\r\n{} ", BAD),
    "an empty length": (HEAD + b"Content-Length: \r\n\r\n", BAD),
    "a length with a space inside": (HEAD + b"Content-Length: 1 0\r\n\r\n", BAD),
    "a length beyond 64 bits": (HEAD + b"Content-Length: 18446744073709551617\r\n\r\n{", (400, 413)),
    "a space before the colon": (HEAD + b"Content-Length : 2\r\n\r\n{}", BAD),
    "a tab before the colon": (HEAD + b"Transfer-Encoding\t: chunked\r\n\r\n" + chunks(INIT), BAD),
    "a folded line": (GET + b"X-A: 1\r\n 2\r\n\r\n", BAD),
    "a folded transfer-encoding": (HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks(INIT), BAD),
    "a first line that begins with a space": (GET.replace(b"\r\nHost", b"\r\n Host") + b"\r\n", BAD),
    "line ends without CR": (b"GET /livez HTTP/1.1\nHost: localhost\n\n", BAD),
    "one line end without CR": (b"GET /livez HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", BAD),
    "an end of head without CR": (GET + b"\n", BAD),
    "a NUL in a value": (GET + b"X-A: a\0b\r\n\r\n", BAD),
    "a NUL in a name": (GET + b"X\0A: ab\r\n\r\n", BAD),
    "a CR in a value": (GET + b"X-A: a\rb\r\n\r\n", BAD),
    "a control character in a value": (GET + b"X-A: a\x01b\r\n\r\n", BAD),
    "DEL in a value": (GET + b"X-A: a\x7fb\r\n\r\n", BAD),
    "a coding that is not known": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + chunks(INIT), (400, 501)),
    "chunked, identity": (HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunks(INIT), (400, 501)),
    "identity": (HEAD + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", (400, 501)),
    "gzip, chunked": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks(INIT), (400, 501)),
    "chunked twice": (HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(INIT), (400, 501)),
    "chunked with a vertical tab": (HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + chunks(INIT), (400, 501)),
    "an empty transfer-encoding": (HEAD + b"Transfer-Encoding: \r\nContent-Length: 2\r\n\r\n{}", (400, 501)),
    "chunked in HTTP/1.0": (CHUNKED.replace(b"1.1", b"1.0") + b"\r\n" + chunks(INIT), BAD),
    "a chunk size 0x3": (CHUNKED + b"\r\n0x3\r\n{} \r\n0\r\n\r\n", BAD),
    "a chunk size with a sign": (CHUNKED + b"\r\n+3\r\n{} \r\n0\r\n\r\n", BAD),
    "a negative chunk size": (CHUNKED + b"\r\n-3\r\n{} \r\n0\r\n\r\n", BAD),
    "an empty chunk size": (CHUNKED + b"\r\n\r\n{} \r\n0\r\n\r\n", BAD),
    "a chunk size beyond 64 bits": (CHUNKED + b"\r\n10000000000000003\r\n{} \r\n0\r\n\r\n", (400, 413)),
    "a chunk line that ends without CR": (CHUNKED + b"\r\n3\n{} \r\n0\r\n\r\n", BAD),
    "a chunk without its line end": (CHUNKED + b"\r\n2\r\n{}0\r\n\r\n", BAD),
    "a chunk longer than its size": (CHUNKED + b"\r\n2\r\n{}  \r\n0\r\n\r\n", BAD),
    "a space before a chunk size": (CHUNKED + b"\r\n 3\r\n{} \r\n0\r\n\r\n", BAD),
    "a trailer that is no header": (CHUNKED + b"\r\n" + chunks(INIT, last=b"0\r\nno header\r\n\r\n"), BAD),
    "a CR alone in a chunk extension": (CHUNKED + b"\r\n3;a\rb\r\n{} \r\n0\r\n\r\n", BAD),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", BAD),
    "two hosts": (GET + b"Host: localhost\r\n\r\n", BAD),
    "a host with garbage": (b"GET /livez HTTP/1.1\r\nHost: local host/\r\n\r\n", BAD),
    "a header without a name": (GET + b": x\r\n\r\n", BAD),
    "a header without a colon": (GET + b"nothing\r\n\r\n", BAD),
    "a name with a space": (GET + b"X A: y\r\n\r\n", BAD),
    "a name with a bracket": (GET + b"X[A]: y\r\n\r\n", BAD),
    "a name that is not ASCII": (GET + b"X\xe9: y\r\n\r\n", BAD),
    "a target with a space": (b"GET /li vez HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    "a target with a control character": (b"GET /livez\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    "two spaces before the version": (b"GET /livez  HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    "a tab for a space": (b"GET\t/livez HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    "no target": (b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    "no version": (b"GET /livez\r\nHost: localhost\r\n\r\n", BAD),
    "a version in small letters": (b"GET /livez http/1.1\r\nHost: localhost\r\n\r\n", BAD),
    "a version 1.10": (b"GET /livez HTTP/1.10\r\nHost: localhost\r\n\r\n", (400, 505)),
    "a version 2.0": (b"GET /livez HTTP/2.0\r\nHost: localhost\r\n\r\n", (400, 505)),
    "a method that is no token": (b"G(T /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)) + b"\r\n\r\n", BAD),
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_a_doubtful_request_is_refused_and_the_connection_closed(raw, name):
    data, statuses = SMUGGLING[name]
    raw.send(data + SMUGGLED)
    r = raw.response()
    assert r.status in statuses
    rest = raw.wait_closed()
    assert rest == b"", f"a second answer: {rest!r}"


# name: (bytes, number of answers with 200)
FINE = {
    "a chunk extension": (CHUNKED + b"\r\n%x;x=y\r\n" % len(INIT) + INIT + b"\r\n0;z\r\n\r\n", 1),
    "many chunks": (CHUNKED + b"\r\n" + chunks(*[INIT[i : i + 1] for i in range(len(INIT))]), 1),
    "chunk sizes with zeros and capitals": (CHUNKED + b"\r\n000%X\r\n" % len(INIT) + INIT + b"\r\n000\r\n\r\n", 1),
    "trailers": (CHUNKED + b"\r\n" + chunks(INIT, last=b"0\r\nX-Sum: 1\r\n\r\n"), 1),
    "a chunked that is spelt otherwise": (HEAD + b"transfer-encoding: CHUNKED\r\n\r\n" + chunks(INIT), 1),
    "an empty line in front": (b"\r\n" + with_length(INIT), 1),
    "spaces around values": (GET + b"X-A:  \t b \t \r\n\r\n", 1),
    "an empty value": (GET + b"X-A:\r\n\r\n", 1),
    "bytes above ASCII in a value": (GET + b"X-A: caf\xc3\xa9 \xe9\r\n\r\n", 1),
    "names in any case": (b"GET /livez HTTP/1.1\r\nhOST: localhost\r\n\r\n", 1),
    "an absolute target": (b"GET http://localhost/livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
    "two pipelined requests": (GET + b"\r\n" + with_length(INIT), 2),
    "twenty pipelined requests": ((GET + b"\r\n") * 20, 20),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_unusual_but_right_is_served(raw, name):
    data, answers = FINE[name]
    raw.send(data)
    for _ in range(answers):
        assert raw.response().status == 200
    raw.send(GET + b"\r\n")
    assert raw.response().status == 200, "the connection goes on"


def test_bytes_may_come_one_by_one(raw):
    for byte in with_length(INIT):
        raw.send(bytes([byte]))
    assert raw.response().status == 200


def test_http_1_0_is_answered_and_closed(raw):
    raw.send(b"GET /livez HTTP/1.0\r\n\r\n")
    r = raw.response()
    assert r.status == 200 and r.header("transfer-encoding") is None
    assert raw.wait_closed() == b""


def test_connection_close_is_done(raw):
    raw.send(GET + b"Connection: keep-alive, Close\r\n\r\n" + SMUGGLED)
    r = raw.response()
    assert r.status == 200 and r.closes
    assert raw.wait_closed() == b""


def test_pipelined_calls_are_answered_in_their_order(shared):
    with shared.client() as c, shared.connect() as raw:
        session = f"Mcp-Session-Id: {c.session}".encode()
        bodies = [dumps(call(i, "ex__sleep", {"ms": ms})).encode() for i, ms in enumerate((60, 1, 30, 0))]
        raw.send(b"".join(with_length(body, session) for body in bodies))
        assert [raw.response().json()["id"] for _ in bodies] == [0, 1, 2, 3]


# 100-continue


def test_the_body_is_asked_for_by_100_continue(raw):
    raw.send(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(INIT))
    assert raw.response().status == 100
    raw.send(INIT)
    assert raw.response().status == 200


def test_a_body_that_would_be_refused_is_not_asked_for(raw):
    raw.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
    assert raw.response().status == 413


def test_a_foreign_host_is_refused_before_its_body_is_asked_for(raw):
    raw.send(HEAD.replace(b"localhost", b"evil.example") + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n")
    assert raw.response().status == 403


def test_an_unknown_expectation_gets_417(raw):
    raw.send(with_length(INIT, b"Expect: miracles"))
    assert raw.response().status in (417, 400)


def test_a_body_sent_without_waiting_for_100_is_read_all_the_same(raw):
    raw.send(with_length(INIT, b"Expect: 100-continue"))
    r = raw.response()
    if r.status == 100:
        r = raw.response()
    assert r.status == 200


# sizes


def test_a_head_beyond_the_limit_gets_431(shared):
    for junk in (
        b"X-A: " + b"a" * 65536 + b"\r\n",
        b"".join(b"X-%d: %s\r\n" % (i, b"b" * 100) for i in range(400)),
    ):
        with shared.connect() as c:
            c.send(GET + junk + b"\r\n")
            assert c.response().status == 431
            c.wait_closed()


def test_a_first_line_beyond_the_limit_is_refused(shared):
    with shared.connect() as c:
        c.send(b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert c.response().status in (431, 414)


def test_a_head_without_an_end_gets_431_and_no_memory(shared):
    with shared.connect() as c:
        try:
            for _ in range(64):
                c.send(b"X" * 65536)
        except ConnectionError:
            pass
        try:
            assert c.response().status in (431, 414, 400)
        except Closed:
            pass  # reset by what we sent after the answer


def test_a_head_just_within_the_limit_is_served(raw):
    raw.send(GET + b"X-A: " + b"a" * 15000 + b"\r\n\r\n")
    assert raw.response().status == 200


def test_a_body_beyond_the_limit_gets_413(sluice):
    s = sluice.http(servers(ex=example(), http={"maxBodyBytes": 65536}))
    body = dumps(call(1, "ex__echo", {"text": "x" * 70000})).encode()
    for data in (with_length(body), HEAD + b"Content-Length: 65537\r\n\r\n", CHUNKED + b"\r\n" + chunks(body[:40000], body[40000:])):
        with s.connect() as c:
            c.send(data)
            assert c.response().status == 413
    with s.client() as c:
        assert len(c.text("ex__echo", {"text": "y" * 60000})) == 60000


def test_large_bodies_within_the_limit_pass(client):
    text = "0123456789" * 400_000
    assert client.text("ex__echo", {"text": text}) == text


# JSON as attackers write it

BAD_BODIES = {
    "a byte that is no UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\xff"}',
    "a cut UTF-8 sequence": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\xe2\x82"}',
    "an overlong slash": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\xc0\xaf"}',
    "an encoded surrogate": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\xed\xa0\x80"}',
    "a code point above the last": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\xf4\x90\x80\x80"}',
    "UTF-16": '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"),
    "too deep by arrays": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":' + b"[" * 200 + b"]" * 200 + b"}",
    "too deep by objects": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
    "a million brackets": b"[" * 1_000_000,
    "a number with a leading zero": b'{"jsonrpc":"2.0","id":01,"method":"ping"}',
    "a number that ends with a point": b'{"jsonrpc":"2.0","id":1.,"method":"ping"}',
    "NaN": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":NaN}',
    "a comment": b'{"jsonrpc":"2.0",/* */"id":1,"method":"ping"}',
    "a trailing comma": b'{"jsonrpc":"2.0","id":1,"method":"ping",}',
    "a bad escape": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\\x41"}',
    "a line feed in a string": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"a\nb"}',
    "two texts": b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}',
    "a NUL behind": b'{"jsonrpc":"2.0","id":1,"method":"ping"}\0',
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_is_not_strict_json_gets_400(client, name):
    r = client.post(BAD_BODIES[name])
    assert r.status == 400 and r.json()["error"]["code"] == -32700
    assert client.post(request(2, "ping")).status == 200, "the connection goes on"


@pytest.mark.parametrize("member", ["jsonrpc", "id", "method", "params"])
def test_a_doubled_member_that_is_read_gets_400(client, member):
    again = {"jsonrpc": '"2.0"', "id": "2", "method": '"ping"', "params": "{}"}[member]
    r = client.post('{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"%s":%s}' % (member, again))
    assert r.status == 400 and r.json()["error"]["code"] == -32600


@pytest.mark.parametrize(
    "params",
    [
        '{"name":"ex__echo","name":"ex__add","arguments":{}}',
        '{"name":"ex__echo","\\u006eame":"ex__add","arguments":{}}',
        '{"name":"ex__echo","_meta":{},"_meta":{"progressToken":1}}',
        '{"name":"ex__echo","_meta":{"progressToken":1,"progressToken":2}}',
    ],
)
def test_a_doubled_member_that_decides_the_route_gets_400(client, params):
    r = client.post('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%s}' % params)
    assert r.status == 400 and r.json()["error"]["code"] == -32600


# time: totals, not gaps


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    from harness import Launcher

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
        assert refused > 0, "the reserve descriptor answers 503"
        cpu = cpu_seconds(s.pid)
        time.sleep(0.3)
        assert cpu_seconds(s.pid) - cpu < 0.2, "it spins"
        for sock in flood:
            sock.close()
    wait_until(lambda: s.get("/livez").status == 200, what="service after the flood")


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
