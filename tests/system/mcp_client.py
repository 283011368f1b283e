"""MCP clients over HTTP and over stdio, just clever enough for tests: no retries, no caches, nothing hidden."""

import itertools
import json
import threading
import time

from http_client import TIMEOUT, Closed, Connection, EventStream

NEWEST = "2025-11-25"
REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25"]  # those of Streamable HTTP
ALL_REVISIONS = ["2024-11-05"] + REVISIONS
ACCEPT = "application/json, text/event-stream"


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def request(id, method, params=None):
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        message["params"] = params
    return message


def call(id, tool, arguments=None, token=None):
    params = {"name": tool, "arguments": arguments or {}}
    if token is not None:
        params["_meta"] = {"progressToken": token}
    return request(id, "tools/call", params)


def notification(method, params=None):
    message = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message["params"] = params
    return message


def initialize_params(revision=NEWEST, capabilities=None, name="test"):
    return {
        "protocolVersion": revision,
        "capabilities": capabilities or {},
        "clientInfo": {"name": name, "version": "1"},
    }


def text_of(result):
    """The text of a tool's result."""
    return "".join(part["text"] for part in result["content"] if part["type"] == "text")


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.error, self.code, self.data = error, error["code"], error.get("data") or {}


def unwrap(message):
    if "error" in message:
        raise RpcError(message["error"])
    return message["result"]


class McpHttp:
    """A client with one session and one keep-alive connection; calls at the same time go through `fork`."""

    def __init__(self, address, path="/mcp", timeout=TIMEOUT):
        self.address, self.path, self.timeout = address, path, timeout
        self.session = self.revision = self.hello = None
        self.ids = itertools.count(1)
        self.notifications = []
        self._connection = None

    def fork(self):
        """Another connection in the same session."""
        other = McpHttp(self.address, self.path, self.timeout)
        other.session, other.revision, other.ids = self.session, self.revision, self.ids
        return other

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def connection(self):
        if self._connection is None:
            self._connection = Connection(self.address, self.timeout)
        return self._connection

    def headers(self, **more):
        h = {"Accept": ACCEPT, "Content-Type": "application/json"}
        if self.session:
            h["Mcp-Session-Id"] = self.session
        if self.revision and self.revision >= "2025-06-18":
            h["MCP-Protocol-Version"] = self.revision
        for key, value in more.items():
            key = key.replace("_", "-")
            if value is None:
                h.pop(key, None)
            else:
                h[key] = value
        return h

    def post(self, message, timeout=None, headers=None):
        """Posts a message (object, text or bytes) and returns the response; SSE is left on the connection."""
        body = message if isinstance(message, (bytes, str)) else dumps(message)
        c = self.connection()
        c.request("POST", self.path, headers if headers is not None else self.headers(), body)
        r = c.head(timeout or self.timeout)
        if not r.is_sse:
            r.body = c.body(r, time.monotonic() + (timeout or self.timeout))
        if r.closes:
            self._connection = None
        r.connection = c
        return r

    def ask(self, message, timeout=None):
        """Posts a request and returns the answer's message; others go to `notifications`."""
        timeout = timeout or self.timeout
        r = self.post(message, timeout)
        assert r.status == 200, r
        if not r.is_sse:
            return r.json()
        stream = EventStream(r.connection, r)
        deadline = time.monotonic() + timeout
        answer = None
        while (m := stream.next_message(max(0.001, deadline - time.monotonic()))) is not None:
            if "id" in m and "method" not in m:
                answer = m
            else:
                self.notifications.append(m)
        assert answer is not None, "the stream ended without an answer"
        return answer

    def request(self, method, params=None, timeout=None, id=None):
        id = next(self.ids) if id is None else id
        answer = self.ask(request(id, method, params), timeout)
        assert answer["jsonrpc"] == "2.0" and answer["id"] == id and type(answer["id"]) is type(id), answer
        return unwrap(answer)

    def notify(self, method, params=None):
        r = self.post(notification(method, params))
        assert (r.status, r.body) == (202, b""), r

    def initialize(self, revision=NEWEST, capabilities=None, name="test"):
        r = self.post(request(0, "initialize", initialize_params(revision, capabilities, name)))
        assert r.status == 200, r
        answer = EventStream(r.connection, r).messages()[-1] if r.is_sse else r.json()
        self.hello = unwrap(answer)
        self.session = r.header("mcp-session-id")
        self.revision = self.hello["protocolVersion"]
        self.notify("notifications/initialized")
        return self

    def call(self, tool, arguments=None, timeout=None, token=None):
        id = next(self.ids)
        answer = self.ask(call(id, tool, arguments, token), timeout)
        assert answer["id"] == id, answer
        return unwrap(answer)

    def text(self, tool, arguments=None, timeout=None):
        return text_of(self.call(tool, arguments, timeout))

    def list_all(self, method, member):
        items, cursor = [], None
        for _ in range(10000):
            page = self.request(method, {"cursor": cursor} if cursor else None)
            items += page[member]
            cursor = page.get("nextCursor")
            if cursor is None:
                return items
        raise AssertionError("pages without end")

    def tools(self):
        return self.list_all("tools/list", "tools")

    def tool_names(self):
        return [tool["name"] for tool in self.tools()]

    def get_stream(self, timeout=None, **headers):
        """The standalone GET stream, on a connection of its own; the response when it is no stream."""
        c = Connection(self.address, timeout or self.timeout)
        h = self.headers(Content_Type=None, Accept="text/event-stream", **headers)
        c.request("GET", self.path, h)
        r = c.head()
        if not r.is_sse:
            r.body = c.body(r, time.monotonic() + self.timeout)
            c.close()
            return r
        return EventStream(c, r)

    def delete(self):
        return self.connection().exchange("DELETE", self.path, self.headers(Content_Type=None))

    def in_background(self, message, timeout=None):
        """Posts a request on another connection; `.join()` returns its answer's message."""
        return Background(self.fork(), message, timeout or self.timeout)


class Background:
    def __init__(self, client, message, timeout):
        self.client, self.timeout = client, timeout
        self.answer = self.error = None
        self.thread = threading.Thread(target=self._run, args=(message,), daemon=True)
        self.thread.start()

    def _run(self, message):
        try:
            self.answer = self.client.ask(message, self.timeout)
        except (Exception, AssertionError) as e:  # shown by join
            self.error = e
        finally:
            self.client.close()

    @property
    def done(self):
        return not self.thread.is_alive()

    def join(self, timeout=None):
        self.thread.join(timeout or self.timeout + 1)
        assert self.done, "no answer within the time"
        if self.error:
            raise self.error
        return self.answer


class McpStdio:
    """A client that talks lines over two file objects or descriptors of Sluice's."""

    def __init__(self, reader, writer, timeout=TIMEOUT):
        self.reader, self.writer, self.timeout = reader, writer, timeout
        self.ids = itertools.count(1)
        self.notifications, self.requests = [], []
        self.lines, self.condition = [], threading.Condition()
        self.eof = False
        self.answers = {}
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for line in self.reader:
                with self.condition:
                    self.lines.append(line)
                    self.condition.notify_all()
        except (OSError, ValueError):
            pass
        with self.condition:
            self.eof = True
            self.condition.notify_all()

    def send(self, message):
        line = message if isinstance(message, bytes) else dumps(message).encode()
        self.writer.write(line + b"\n")
        self.writer.flush()

    def recv(self, timeout=None):
        """The next message; Closed at the end of the stream."""
        deadline = time.monotonic() + (timeout or self.timeout)
        with self.condition:
            while not self.lines:
                if self.eof:
                    raise Closed("EOF")
                left = deadline - time.monotonic()
                if left <= 0 or not self.condition.wait(left):
                    if not self.lines and not self.eof:
                        raise TimeoutError("no line within the time")
            line = self.lines.pop(0)
        assert line.endswith(b"\n"), f"cut line {line!r}"
        return json.loads(line)

    def recv_answer(self, timeout=None):
        """The next answer (or array of a batch), passing over notifications."""
        while True:
            m = self.recv(timeout)
            if isinstance(m, list) or "method" not in m:
                return m

    def wait_eof(self, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        with self.condition:
            while not self.eof:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("the output did not end")
                self.condition.wait(left)

    def answer_of(self, id, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        key = dumps(id)
        while key not in self.answers:
            m = self.recv(max(0.001, deadline - time.monotonic()))
            if "method" not in m:
                self.answers[dumps(m.get("id"))] = m
            elif "id" in m:
                self.requests.append(m)
            else:
                self.notifications.append(m)
        return self.answers.pop(key)

    def request(self, method, params=None, timeout=None, id=None):
        id = next(self.ids) if id is None else id
        self.send(request(id, method, params))
        return unwrap(self.answer_of(id, timeout))

    def notify(self, method, params=None):
        self.send(notification(method, params))

    def initialize(self, revision=NEWEST, capabilities=None, name="test"):
        self.hello = self.request("initialize", initialize_params(revision, capabilities, name))
        self.notify("notifications/initialized")
        return self

    def call(self, tool, arguments=None, timeout=None, token=None):
        id = next(self.ids)
        self.send(call(id, tool, arguments, token))
        return unwrap(self.answer_of(id, timeout))

    def text(self, tool, arguments=None, timeout=None):
        return text_of(self.call(tool, arguments, timeout))

    def tool_names(self):
        return [tool["name"] for tool in self.request("tools/list")["tools"]]
