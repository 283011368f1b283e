"""Requests as bytes, for tests that send them as they are."""

from mcp_client import ACCEPT, dumps, initialize_params, request

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
