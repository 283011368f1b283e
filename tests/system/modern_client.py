"""Requests of the modern revision (2026-07-28), over HTTP and over stdio: no sessions, each stands alone."""

import itertools
import time

from http_client import TIMEOUT, Connection, EventStream
from mcp_client import ACCEPT, dumps, unwrap

MODERN = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
NAMED = {"resources/read": "uri", "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId"}
SUBSCRIPTION = PREFIX + "subscriptionId"


def meta(version=MODERN, capabilities=None, level=None, **more):
    """The `_meta` of a request; a key that is given as None is left out."""
    keys = {
        "protocolVersion": version,
        "clientCapabilities": {} if capabilities is None else capabilities,
        "clientInfo": {"name": "test", "version": "1"},
        "logLevel": level,
        **more,
    }
    return {PREFIX + key: value for key, value in keys.items() if value is not None}


def modern(id, method, params=None, **meta_keys):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": meta(**meta_keys), **(params or {})}}


def headers_of(message, **changes):
    """What a client sends with it; `mcp_name=None` leaves one out."""
    params = message.get("params") or {}
    h = {
        "Accept": ACCEPT,
        "Content-Type": "application/json",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": message["method"],
        "Mcp-Name": params.get(NAMED.get(message["method"], "name")),
    }
    for key, value in changes.items():
        key = key.replace("_", "-")
        for known in list(h):
            if known.lower() == key.lower():
                del h[known]
        h[key] = value
    return {key: value for key, value in h.items() if value is not None}


def is_stamped(result, cacheable=False):
    assert result["resultType"] == "complete"
    assert result["_meta"][PREFIX + "serverInfo"]["name"] == "sluice"
    if cacheable:
        assert isinstance(result["ttlMs"], int) and result["ttlMs"] >= 0
        assert result["cacheScope"] in ("private", "public")
    return True


class ModernHttp:
    """One keep-alive connection; a listen takes one of its own."""

    def __init__(self, address, path="/mcp", timeout=TIMEOUT):
        self.address, self.path, self.timeout = address, path, timeout
        self.ids = itertools.count(1)
        self.notifications = []
        self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def connection(self):
        if self._connection is None:
            self._connection = Connection(self.address, self.timeout)
        return self._connection

    def send(self, message, headers=None, **changes):
        headers = headers_of(message, **changes) if headers is None else headers
        self.connection().request("POST", self.path, headers, message if isinstance(message, bytes) else dumps(message))

    def post(self, message, headers=None, timeout=None, **changes):
        """The response; a stream is left on the connection."""
        self.send(message, headers, **changes)
        c = self.connection()
        r = c.head(timeout or self.timeout)
        if not r.is_sse:
            r.body = c.body(r, time.monotonic() + (timeout or self.timeout))
        if r.closes:
            self._connection = None
        r.connection = c
        return r

    def messages(self, message, timeout=None, **changes):
        """All that comes as the response of a request."""
        r = self.post(message, timeout=timeout, **changes)
        assert r.status == 200, r
        return EventStream(r.connection, r).messages(timeout) if r.is_sse else [r.json()]

    def ask(self, method, params=None, timeout=None, changes=None, **meta_keys):
        """The result; what came before it goes to `notifications`."""
        id = next(self.ids)
        *before, answer = self.messages(modern(id, method, params, **meta_keys), timeout, **(changes or {}))
        self.notifications += before
        assert answer["id"] == id
        return unwrap(answer)

    def call(self, tool, arguments=None, timeout=None, **meta_keys):
        return self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, timeout, **meta_keys)

    def error(self, message, headers=None, **changes):
        """Posts it and returns the status and the error of the answer, which echoes the id."""
        r = self.post(message, headers, **changes)
        body = r.json()
        if isinstance(message, dict):
            assert body.get("id") == message["id"] and type(body["id"]) is type(message["id"]), body
        return r.status, body["error"]

    def listen(self, id="listen", capabilities=None, **topics):
        """Opens a listen on a connection of its own; returns it and the first message, the acknowledgement."""
        other = ModernHttp(self.address, self.path, self.timeout)
        r = other.post(modern(id, "subscriptions/listen", {"notifications": topics}, capabilities=capabilities or {}))
        assert r.status == 200 and r.is_sse, r
        stream = EventStream(r.connection, r)
        return stream, stream.next_message()
