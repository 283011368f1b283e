"""HTTP as attackers and bad clients write it. The smuggling table of the dependency study comes first: whatever is not
plainly right is refused and the connection closed, so that no two parsers in a chain can disagree."""

import pytest

from harness import example, servers
from http_client import Closed
from http_texts import CHUNKED, GET, HEAD, INIT, SMUGGLED, chunks, with_length
from mcp_client import call, dumps, request

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
