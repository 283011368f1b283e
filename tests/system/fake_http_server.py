#!/usr/bin/env python3
"""An MCP server over HTTP that misbehaves to order; in this process, in threads, or alone as a program.

    server = FakeHttpServer(mode="legacy", **knobs)     server.url, server.close()

Modes: `legacy` (Streamable HTTP with sessions), `modern` (2026-07-28), `dual` (both), `sse` (HTTP+SSE of 2024-11-05:
GET /sse and POST /messages).

Knobs, which may be changed at any time (server.knobs["x"] = ...):
  tools, resources, prompts   lists of items (a string is short for a plain item)
  revision        what initialize answers; else what was asked
  sessions        False: it gives no session id
  get             False: GET is 405 (legacy)
  slow_get        so many seconds pass before a GET is answered
  stream          True: answers are event streams
  ids             True: events have ids, and streams can be taken up again
  crlf            "\\r\\n" or "\\r" as line ends of events
  fail            {method: raw response as bytes, or a status, or a function of the request} instead of the answer
  fail_all        the same for every POST
  delay           seconds before each answer to tools/call
  page            items per page
  tls             an ssl.SSLContext: https
  listen          "json": subscriptions/listen is answered with open-ended JSON texts
  acks_without_filter  True: subscriptions/listen is acknowledged without a word of what is honoured
  tasks           True: a modern client that declares the extension gets a task (task-1, ...) for each call of `sleep`

What came is in server.requests: (verb, path, headers with small names, message or None).
Its tools: echo {text}, sleep {ms}, seen (the headers of this call), steps {steps}: does them on the call's stream:
  {"progress": n} {"log": text} {"ask": request} {"wait": ms} {"event": text} {"raw": bytes as text} {"answer": text}
  {"drop": true} closes the connection, {"reset": true} resets it, {"end": true} ends the stream properly
"""

import itertools
import json
import queue
import socket
import struct
import sys
import threading
import time

LISTS = {
    "tools/list": ("tools", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
    "prompts/list": ("prompts", "name"),
}
OWN_TOOLS = ["echo", "sleep", "seen", "steps"]
MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"


def dumps(value):
    return json.dumps(value, separators=(",", ":"))


class Gone(Exception):
    """The connection is over."""


class Request:
    def __init__(self, verb, path, headers, body):
        self.verb, self.path, self.headers, self.body = verb, path, headers, body
        self.message = json.loads(body) if body else None

    @property
    def method(self):
        return (self.message or {}).get("method")

    @property
    def params(self):
        return (self.message or {}).get("params") or {}


class Http:
    """One connection, read by one thread."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        self.buffer += data

    def request(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        verb, path, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        n = int(headers.get("content-length", 0))
        while len(self.buffer) < n:
            self._more()
        body, self.buffer = self.buffer[:n], self.buffer[n:]
        return Request(verb, path, headers, body)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise Gone from None

    def respond(self, status, body=b"", headers=(), type="application/json"):
        if isinstance(body, str):
            body = body.encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        if body:
            lines.append(f"Content-Type: {type}")
        lines += [f"{k}: {v}" for k, v in headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def begin(self, headers=(), type="text/event-stream"):
        lines = ["HTTP/1.1 200 OK", f"Content-Type: {type}", "Transfer-Encoding: chunked"]
        lines += [f"{k}: {v}" for k, v in headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    def chunk(self, data):
        if data:
            self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end(self):
        self.send(b"0\r\n\r\n")

    def drop(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        raise Gone

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise Gone


class Session:
    def __init__(self, id, revision):
        self.id, self.revision = id, revision
        self.news = None  # the queue of its GET stream
        self.answers = queue.Queue()  # to requests of ours


class FakeHttpServer:
    def __init__(self, mode="legacy", port=0, **knobs):
        self.mode, self.knobs = mode, knobs
        self.requests, self.sessions, self.events = [], {}, {}
        self.cancelled = set()
        self.tasks = {}
        self.ids, self.event_ids = itertools.count(1), itertools.count(1)
        self.lock = threading.Condition()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        self.connections, self.listens = set(), set()
        self.opened = 0
        self.closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def path(self):
        return "/sse" if self.mode == "sse" else "/mcp"

    @property
    def url(self):
        return f"{'https' if self.knobs.get('tls') else 'http'}://127.0.0.1:{self.port}{self.path}"

    def entry(self, **more):
        """One session for all clients, unless told otherwise."""
        return {"url": self.url, "isolation": "shared", **more}

    def close(self):
        """Listens no more, and ends all connections."""
        self.stop_listening()
        self.drop_all()

    def stop_listening(self):
        self.closed = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def drop_all(self):
        for http in list(self.connections):
            try:
                http.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # what tests ask

    def seen(self, method=None, verb="POST"):
        return [r for r in list(self.requests) if r.verb == verb and (method is None or r.method == method)]

    def wait(self, condition, timeout=5.0):
        deadline = time.monotonic() + timeout
        with self.lock:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"did not come true; seen: {[(r.verb, r.method) for r in self.requests][-20:]}")
                self.lock.wait(min(left, 0.05))

    def wait_seen(self, method, count=1, verb="POST", timeout=5.0):
        self.wait(lambda: len(self.seen(method, verb)) >= count, timeout)
        return self.seen(method, verb)[count - 1]

    def forget_sessions(self):
        self.sessions.clear()

    def push(self, message):
        """On every stream for news."""
        for session in list(self.sessions.values()):
            if session.news is not None:
                session.news.put(message)
        for listen in list(self.listens):
            listen.put(message)

    # connections

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.opened += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            if self.knobs.get("tls"):
                sock = self.knobs["tls"].wrap_socket(sock, server_side=True)
            http = Http(sock)
        except OSError:
            sock.close()
            return
        self.connections.add(http)
        try:
            while True:
                request = http.request()
                with self.lock:
                    self.requests.append(request)
                    self.lock.notify_all()
                self._handle(http, request)
        except Gone:
            pass
        finally:
            self.connections.discard(http)
            sock.close()

    def _failure(self, http, request):
        what = self.knobs.get("fail", {}).get(request.method)
        if what is None and request.verb == "POST":
            what = self.knobs.get("fail_all")
        if callable(what):
            what = what(request)
        if what is None:
            return False
        if isinstance(what, int):
            http.respond(what)
        elif what == b"":
            http.drop()
        elif what == b"reset":
            http.reset()
        else:
            http.send(what)
            head, _, body = what.partition(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 1"):
                head, _, body = body.partition(b"\r\n\r\n")
            if b"content-length: %d\r\n" % len(body) not in head.lower() + b"\r\n":
                http.drop()
        return True

    def _handle(self, http, request):
        if self._failure(http, request):
            return
        if self.mode == "sse":
            self._handle_sse(http, request)
        elif request.path != "/mcp":
            http.respond(404)
        elif self.mode != "legacy" and META + "protocolVersion" in request.params.get("_meta", {}):
            self._handle_modern(http, request)
        elif self.mode == "modern":
            error = {"code": -32602, "message": "modern only", "data": {"supported": [MODERN]}}
            http.respond(400 if request.verb == "POST" else 405, dumps({"jsonrpc": "2.0", "error": error}))
        else:
            self._handle_legacy(http, request)

    # Streamable HTTP, legacy

    def _session_of(self, http, request):
        id = request.headers.get("mcp-session-id")
        if self.knobs.get("sessions", True) is False:
            return self.sessions.setdefault("", Session("", "2025-11-25"))
        if id is None:
            http.respond(400, dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "no session"}}))
        elif id not in self.sessions:
            status = self.knobs.get("lost_status", 404)
            error = {"code": -32001, "message": "Session not found"}
            http.respond(status, dumps({"jsonrpc": "2.0", "id": None, "error": error}))
        return self.sessions.get(id)

    def _handle_legacy(self, http, request):
        if request.method == "initialize":
            self._initialize(http, request)
            return
        session = self._session_of(http, request)
        if session is None:
            return
        if request.verb == "DELETE":
            self.sessions.pop(session.id, None)
            http.respond(200)
        elif request.verb == "GET":
            self._get(http, request, session)
        elif "method" not in request.message:
            session.answers.put(request.message)
            http.respond(202)
        elif "id" not in request.message:
            self._notification(request)
            http.respond(202)
        else:
            self._request(http, request, session)

    def _notification(self, request):
        if request.method == "notifications/cancelled":
            self.cancelled.add(request.params["requestId"])

    def _initialize_result(self, asked):
        return {
            "protocolVersion": self.knobs.get("revision", asked),
            "capabilities": self._capabilities(),
            "serverInfo": {"name": "fake-http", "version": "0"},
        }

    def _initialize(self, http, request):
        asked = request.params["protocolVersion"]
        headers = []
        if self.knobs.get("sessions", True):
            id = f"session-{next(self.ids)}"
            self.sessions[id] = Session(id, asked)
            headers = [("Mcp-Session-Id", id)]
        body = dumps({"jsonrpc": "2.0", "id": request.message["id"], "result": self._initialize_result(asked)})
        if self.knobs.get("stream"):
            http.begin(headers)
            self._event(http, body)
            http.end()
        else:
            http.respond(200, body, headers)

    def _get(self, http, request, session):
        last = request.headers.get("last-event-id")
        if last in self.events:
            http.begin()
            for data, id in self.events.pop(last):
                self._event(http, data, id)
            http.end()
            return
        time.sleep(self.knobs.get("slow_get", 0))
        if self.knobs.get("get", True) is False:
            http.respond(405)
            return
        session.news = news = queue.Queue()
        http.begin()
        self._pump(http, news)

    def _pump(self, http, news):
        while not self.closed and http in self.connections:
            try:
                message = news.get(timeout=0.2)
            except queue.Empty:
                continue
            if message == "end":
                http.end()
                return
            self._event(http, message if isinstance(message, str) else dumps(message))

    # modern

    def _capabilities(self):
        capabilities = {"tools": {"listChanged": True}, "logging": {}, "completions": {}}
        if self.knobs.get("resources"):
            capabilities["resources"] = {"listChanged": True, "subscribe": True}
        if self.knobs.get("prompts"):
            capabilities["prompts"] = {"listChanged": True}
        return capabilities

    def _modern_capabilities(self):
        extensions = {"extensions": {META + "tasks": {}}} if self.knobs.get("tasks") else {}
        return {**self._capabilities(), **extensions}

    # tasks, of the extension

    def _makes_task(self, request):
        declared = request.params.get("_meta", {}).get(META + "clientCapabilities", {})
        wanted = META + "tasks" in declared.get("extensions", {})
        return self.knobs.get("tasks") and wanted and request.params.get("name") == "sleep"

    def _begin_task(self, http, m):
        id = f"task-{len(self.tasks) + 1}"
        self.tasks[id] = {"taskId": id, "status": "input_required", "ttlMs": None, "pollIntervalMs": 20}
        self._result(http, m, {"resultType": "task", **self.tasks[id]})

    def _on_task(self, http, request):
        m, id = request.message, request.params["taskId"]
        task = self.tasks.get(id)
        if request.headers.get("mcp-name") != id:
            self._error(http, m, 400, -32020, "header mismatch")
        elif task is None:
            self._error(http, m, 200, -32602, "no such task")
        elif m["method"] == "tasks/get":
            self._result(http, m, {"resultType": "complete", **task})
        else:
            over = m["method"] == "tasks/cancel"
            task.update({"status": "cancelled"} if over else {"status": "completed", "result": request.params["inputResponses"]})
            params = {"_meta": {META + "subscriptionId": "x"}, **task}
            self.push({"jsonrpc": "2.0", "method": "notifications/tasks", "params": params})
            self._result(http, m, {"resultType": "complete"})

    def _handle_modern(self, http, request):
        m = request.message
        if request.headers.get("mcp-protocol-version") != MODERN or request.headers.get("mcp-method") != request.method:
            self._error(http, m, 400, -32020, "header mismatch")
        elif request.method == "server/discover" and len(self.seen("server/discover")) <= self.knobs.get("refuses", 0):
            error = {"code": -32022, "message": "unsupported", "data": {"supported": [MODERN], "requested": MODERN}}
            http.respond(400, dumps({"jsonrpc": "2.0", "id": m["id"], "error": error}))
        elif request.method == "server/discover":
            result = {"supportedVersions": [MODERN], "capabilities": self._modern_capabilities(), "ttlMs": 0, "cacheScope": "private"}
            self._result(http, m, {**result, "resultType": "complete"})
        elif request.method == "subscriptions/listen":
            self._listen(http, m)
        elif "id" not in m:
            http.respond(202)
        else:
            self._request(http, request, None)

    def _error(self, http, m, status, code, message):
        http.respond(status, dumps({"jsonrpc": "2.0", "id": m.get("id"), "error": {"code": code, "message": message}}))

    def _honoured(self, m):
        """What of a filter it agrees to; only who declares the extension may ask for tasks."""
        wanted = dict(m["params"]["notifications"])
        if "resourceSubscriptions" in wanted:
            wanted["resourceSubscriptions"] = [u for u in wanted["resourceSubscriptions"] if u in self.knobs.get("resources", [])]
        if "taskIds" in wanted:
            assert META + "tasks" in m["params"]["_meta"][META + "clientCapabilities"]["extensions"]
            wanted["taskIds"] = [id for id in wanted["taskIds"] if id in self.tasks]
        return {} if self.knobs.get("acks_without_filter") else {"notifications": wanted}

    def _listen(self, http, m):
        news = queue.Queue()
        params = {"_meta": {META + "subscriptionId": str(m["id"])}, **self._honoured(m)}
        ack = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params}
        self.listens.add(news)
        as_json = self.knobs.get("listen") == "json"
        http.begin(type="application/json" if as_json else "text/event-stream")
        http.chunk(dumps(ack).encode() + b"\n") if as_json else self._event(http, dumps(ack))
        try:
            while not self.closed:
                try:
                    message = news.get(timeout=0.2)
                except queue.Empty:
                    continue
                http.chunk(dumps(message).encode() + b"\n") if as_json else self._event(http, dumps(message))
        finally:
            self.listens.discard(news)

    # HTTP+SSE

    def _handle_sse(self, http, request):
        if request.verb == "GET" and request.path == "/sse":
            id = f"session-{next(self.ids)}"
            session = self.sessions[id] = Session(id, "2024-11-05")
            session.news = queue.Queue()
            http.begin()
            self._event(http, self.knobs.get("endpoint", f"/messages?sessionId={id}"), type="endpoint")
            try:
                self._pump(http, session.news)
            finally:
                self.sessions.pop(id, None)
            return
        if request.verb != "POST" or not request.path.startswith("/messages?sessionId="):
            http.respond(404 if request.path == "/sse" else 405)
            return
        session = self.sessions.get(request.path.partition("=")[2])
        if session is None:
            http.respond(404)
            return
        http.respond(202, "Accepted", type="text/plain")
        m = request.message
        if "method" not in m:
            session.answers.put(m)
        elif "id" not in m:
            self._notification(request)
        elif m["method"] == "initialize":
            session.news.put({"jsonrpc": "2.0", "id": m["id"], "result": self._initialize_result("2024-11-05")})
        else:
            threading.Thread(target=self._request, args=(SseHttp(session.news), request, session), daemon=True).start()

    # requests

    def _event(self, http, data, id=None, type=None):
        end = self.knobs.get("crlf", "\n")
        text = ""
        if type:
            text += f"event: {type}{end}"
        if id is not None:
            text += f"id: {id}{end}"
        http.chunk((text + f"data: {data}{end}{end}").encode())

    def _result(self, http, m, result):
        body = dumps({"jsonrpc": "2.0", "id": m["id"], "result": result})
        if isinstance(http, SseHttp):
            http.event(body)
        elif self.knobs.get("stream"):
            http.begin()
            self._event(http, body)
            http.end()
        else:
            http.respond(200, body)

    def _request(self, http, request, session):
        m = request.message
        method = request.method
        if method in LISTS:
            self._list(http, request, *LISTS[method])
        elif method == "tools/call" and session is None and self._makes_task(request):
            self._begin_task(http, m)
        elif method in ("tasks/get", "tasks/update", "tasks/cancel") and self.knobs.get("tasks") and session is None:
            self._on_task(http, request)
        elif method == "tools/call":
            self._call(http, request, session)
        elif method in ("ping", "logging/setLevel") or (session is not None and method.startswith("resources/") and method.endswith("subscribe")):
            self._result(http, m, {})
        elif method == "prompts/get":
            self._result(http, m, {"messages": []})
        elif method == "resources/read":
            self._result(http, m, {"contents": [{"uri": request.params["uri"], "text": "text"}]})
        elif isinstance(http, SseHttp):
            http.event(dumps({"jsonrpc": "2.0", "id": m["id"], "error": {"code": -32601, "message": "no such method"}}))
        else:
            self._error(http, m, 404 if session is None else 200, -32601, "no such method")

    def _list(self, http, request, kind, key):
        items = [*(OWN_TOOLS if kind == "tools" else []), *self.knobs.get(kind, [])]
        page = self.knobs.get("page", 1000)
        start = int(request.params.get("cursor", 0))
        full = []
        for item in items[start : start + page]:
            if isinstance(item, str):
                item = {key: item}
                item.update({"inputSchema": {"type": "object"}} if kind == "tools" else {"name": item[key]})
            full.append(item)
        result = {kind: full}
        if start + page < len(items):
            result["nextCursor"] = str(start + page)
        self._result(http, request.message, result)

    def _call(self, http, request, session):
        m, name = request.message, request.params["name"]
        arguments = request.params.get("arguments") or {}
        time.sleep(self.knobs.get("delay", 0))
        if name == "sleep":
            time.sleep(arguments.get("ms", 1000) / 1000)
            self._text(http, m, "slept")
        elif name == "seen":
            self._text(http, m, dumps(request.headers))
        elif name == "steps":
            self._steps(http, request, session, list(arguments["steps"]))
        else:
            self._text(http, m, arguments.get("text", dumps(arguments)))

    def _text(self, http, m, text):
        self._result(http, m, {"content": [{"type": "text", "text": text}]})

    def _steps(self, http, request, session, steps):
        m = request.message
        rest = []
        token = request.params.get("_meta", {}).get("progressToken")
        open, id = True, None

        def say(message):
            nonlocal id
            data = message if isinstance(message, str) else dumps(message)
            if isinstance(http, SseHttp):
                http.event(data)
                return
            if self.knobs.get("ids"):
                id = str(next(self.event_ids))
            if open:
                self._event(http, data, id)
            else:
                rest.append((data, id))

        if not isinstance(http, SseHttp):
            http.begin()
            if self.knobs.get("ids"):
                id = str(next(self.event_ids))
                http.chunk(f"id: {id}\nretry: {self.knobs.get('retry', 50)}\ndata: \n\n".encode())
        for step in steps:
            if "progress" in step:
                params = {"progressToken": token, "progress": step["progress"]}
                say({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
            elif "log" in step:
                say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "error", "data": step["log"]}})
            elif "ask" in step:
                say(step["ask"])
            elif "await" in step:
                say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "error", "data": session.answers.get(timeout=60)}})
            elif "wait" in step:
                time.sleep(step["wait"] / 1000)
            elif "event" in step:
                say(step["event"].replace("$ID", dumps(m["id"])))
            elif "raw" in step:
                http.chunk(step["raw"].encode())
            elif "answer" in step:
                say({"jsonrpc": "2.0", "id": m["id"], "result": {"content": [{"type": "text", "text": step["answer"]}]}})
            elif "hang_up" in step:  # what follows, up to the next one, waits for a GET with Last-Event-ID
                open, rest = False, []
                self.events[id] = rest
                id = str(next(self.event_ids))
                rest.append(("", id))
            elif "drop" in step:
                http.drop()
            elif "reset" in step:
                http.reset()
            else:
                raise ValueError(step)
        if not isinstance(http, SseHttp):
            http.end()


class SseHttp:
    """Answers of HTTP+SSE go on the session's stream."""

    def __init__(self, news):
        self.news = news

    def event(self, data):
        self.news.put(data)


if __name__ == "__main__":
    server = FakeHttpServer(**json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
    print(server.url, flush=True)
    threading.Event().wait()
