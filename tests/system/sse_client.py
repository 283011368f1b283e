"""A client of the legacy transport (HTTP+SSE, 2024-11-05): its stream on one connection, its POSTs on another."""

import itertools
import time

from http_client import TIMEOUT, Connection, EventStream
from mcp_client import dumps, initialize_params, notification, request, text_of, unwrap


class McpSse:
    def __init__(self, address, path="/sse", timeout=TIMEOUT, headers=None):
        self.address, self.timeout = address, timeout
        self.ids = itertools.count(1)
        self.others, self.last_event_id = [], None
        self.get = Connection(address, timeout)
        self.get.request("GET", path, {"Accept": "text/event-stream", **(headers or {})})
        self.head = self.get.head()
        self.stream = self.endpoint = self.posts = None
        if not self.head.is_sse:
            return
        self.stream = EventStream(self.get, self.head)
        first = self.stream.next()
        assert first.event == "endpoint", first
        self.endpoint, self.retry = first.data, first.retry

    def close(self):
        self.get.close()
        if self.posts:
            self.posts.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def post(self, message, headers=None):
        """Posts a message (object, text or bytes); the answer to the POST, which is not the answer to the message."""
        body = message if isinstance(message, (bytes, str)) else dumps(message)
        self.posts = self.posts or Connection(self.address, self.timeout)
        r = self.posts.exchange("POST", self.endpoint, headers or {"Content-Type": "application/json"}, body)
        if r.closes:
            self.posts.close()
            self.posts = None
        return r

    def send(self, message):
        r = self.post(message)
        assert (r.status, r.body) == (202, b"Accepted"), r

    def next_message(self, timeout=None):
        """The next message on the stream, comments passed over; None at its end."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while (event := self.stream.next(max(0.001, deadline - time.monotonic()))) is not None:
            self.last_event_id = event.id or self.last_event_id
            if event.data:
                assert event.event == "message", event
                return event.json()
        return None

    def answer_of(self, id, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        while (m := self.next_message(max(0.001, deadline - time.monotonic()))) is not None:
            if m.get("id") == id and "method" not in m:
                return m
            self.others.append(m)
        raise AssertionError("the stream ended without the answer")

    def request(self, method, params=None, timeout=None):
        id = next(self.ids)
        self.send(request(id, method, params))
        return unwrap(self.answer_of(id, timeout))

    def initialize(self, revision="2024-11-05", capabilities=None, name="test"):
        self.hello = self.request("initialize", initialize_params(revision, capabilities, name))
        self.send(notification("notifications/initialized"))
        return self

    def text(self, tool, arguments=None, timeout=None):
        return text_of(self.request("tools/call", {"name": tool, "arguments": arguments or {}}, timeout))

    def tool_names(self):
        return [tool["name"] for tool in self.request("tools/list")["tools"]]
