"""MCP clients that behave as good ones should, and write down how each request went.

A request may take several attempts. What surely had no effect is tried again at another proxy: a refused connection, a
503, an error that says `not_sent`, and a session that the gateway does not know (after a new initialize). Anything else
might have had an effect, so it is not: who loses the answer to that has lost the request.
"""

import asyncio
import itertools
import json
from dataclasses import dataclass, field

from . import wire
from .wire import EOF, REFUSED, RESET, TIMEOUT, TRUNCATED, Broken, Wire

OK = "ok"
EMPTY = "empty"  # 200, and no answer in it
UNAVAILABLE = "unavailable"  # 503 with Retry-After
HTTP_ERROR = "http_error"  # any other 5xx, or a 4xx that is not about the session
SESSION = "session"  # the gateway does not know the session
RPC_ERROR = "rpc_error"
WRONG = "wrong"  # whole, but not the answer to this
KINDS = (OK, REFUSED, RESET, EOF, TRUNCATED, EMPTY, TIMEOUT, UNAVAILABLE, HTTP_ERROR, SESSION, RPC_ERROR, WRONG)

REVISION = "2025-06-18"
ATTEMPTS = 8
AT_ONCE = 1.0  # seconds: a goodbye that was on its way when a request was sent comes within this time
PAUSE = 0.1, 1.0  # seconds before another attempt: at least, and at most whatever Retry-After says
HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"))


@dataclass
class Attempt:
    """One try. `reused`: on a connection that had served before. `pod` is None when the proxy knew of none."""

    at: float
    proxy: int
    kind: str = ""
    done: float = 0.0
    status: int | None = None
    bytes: int = 0
    pod: str | None = None
    reused: bool = False
    reason: str | None = None
    outcome: str | None = None
    retry_after: float | None = None
    unclean: str | None = None  # the answer was whole, its stream was not

    @property
    def crossed(self):
        """It was sent on a connection that had served before, and the other side's goodbye was on its way: no byte came back, and
        it was over at once."""
        return self.reused and not self.bytes and self.kind in (RESET, EOF) and self.done - self.at < AT_ONCE

    @property
    def can_be_tried_again(self):
        unavailable = self.kind == HTTP_ERROR and self.status == 503
        unsent = self.kind == RPC_ERROR and self.outcome == "not_sent"
        return self.kind in (REFUSED, UNAVAILABLE, SESSION) or unavailable or unsent


@dataclass
class Request:
    what: str
    client: str
    attempts: list = field(default_factory=list)

    @property
    def last(self):
        return self.attempts[-1]

    @property
    def ok(self):
        return self.last.kind == OK

    @property
    def ok_at_once(self):
        return self.attempts[0].kind == OK

    @property
    def crossed(self):
        return self.last.crossed

    @property
    def told(self):
        """It failed, and the client knows why: a whole error came."""
        return self.last.kind in (RPC_ERROR, UNAVAILABLE, HTTP_ERROR)

    @property
    def unknown(self):
        """It failed, and may have had its effect."""
        last = self.last
        if last.kind == RPC_ERROR:
            return last.outcome != "not_sent"
        return last.kind in (RESET, EOF, TRUNCATED, EMPTY, TIMEOUT, WRONG)


@dataclass
class StreamEnd:
    """How a stream of news (GET) ended: clean, or a kind of Broken; None while it is open."""

    client: str
    opened: float
    pod: str | None = None
    kind: str | None = None
    ended: float | None = None
    status: int | None = None


class Failed(Exception):
    """An attempt that ended with an answer other than the result."""

    def __init__(self, kind, status=None, **more):
        super().__init__(kind)
        self.kind, self.status, self.more = kind, status, more


def dumps(value):
    return json.dumps(value, separators=(",", ":")).encode()


def number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def about_session(status, body):
    return status == 404 or (status == 400 and b"session" in body.lower())


def refuse(response):
    """Raises what an answer without a message means."""
    if response.status == 503 and "retry-after" in response.headers:
        raise Failed(UNAVAILABLE, 503, retry_after=number(response.headers["retry-after"]))
    if about_session(response.status, response.body):
        raise Failed(SESSION, response.status)
    if response.status >= 400:
        raise Failed(HTTP_ERROR, response.status)


def result_of(message, status=200):
    error = message.get("error")
    if error is None:
        return message["result"]
    data = error.get("data") if isinstance(error.get("data"), dict) else {}
    if about_session(400, error.get("message", "").encode()):
        raise Failed(SESSION, status)
    raise Failed(RPC_ERROR, status, reason=data.get("reason"), outcome=data.get("outcome"))


class Client:
    """What both transports share: attempts, and the choice of a proxy. `proxies` are tried in turn from `home` on."""

    def __init__(self, clock, proxies, name, home=0, source="127.0.0.1", path="/mcp", keep_alive=True, timeout=60):
        self.clock, self.proxies, self.name, self.home, self.source = clock, proxies, name, home, source
        self.path, self.keep_alive, self.timeout = path, keep_alive, timeout
        self.ids, self.wire, self.at_proxy = itertools.count(1), None, None

    async def call(self, tool, arguments, expected, what="call"):
        """One request with all its attempts."""
        request = Request(what, self.name)
        for turn in range(ATTEMPTS):
            attempt = await self.attempt((self.home + turn) % len(self.proxies), tool, arguments, expected)
            request.attempts.append(attempt)
            if not attempt.can_be_tried_again:
                break
            if attempt.kind == SESSION:
                self.forget()
            await asyncio.sleep(min(max(attempt.retry_after or 0, PAUSE[0]), PAUSE[1]))
        return request

    async def attempt(self, proxy, tool, arguments, expected):
        a = Attempt(self.clock.now(), proxy)
        try:
            async with asyncio.timeout(self.clock.real(self.timeout)):
                result = await self.ask(a, proxy, tool, arguments)
            a.kind = OK if [c.get("text") for c in result.get("content", [])] == [expected] else WRONG
            a.reason = None if a.kind == OK else str(result)[:200]
        except Broken as e:
            a.kind, a.bytes = e.kind, a.bytes or e.got
        except Failed as e:
            a.kind, a.status = e.kind, e.status
            for key, value in e.more.items():
                setattr(a, key, value)
        except TimeoutError:
            a.kind = TIMEOUT
        except (ValueError, KeyError, AttributeError, TypeError):
            a.kind = WRONG
        self.settle(a)
        a.done = self.clock.now()
        return a

    def settle(self, a):
        """Learns from the proxy where the connection went; drops it unless it is good for another request."""
        if self.wire:
            a.pod, refused = self.proxies[a.proxy].fate(self.wire)
            if refused:
                a.kind = REFUSED
        if a.kind not in (OK, RPC_ERROR) or not self.keep_alive:
            self.drop()

    async def connect(self, a, proxy):
        if self.wire and (self.at_proxy != proxy or not self.wire.open_still):
            self.drop()
        if not self.wire:
            self.wire = await Wire.open(self.proxies[proxy].port, self.source, host=self.proxies[proxy].host)
            self.at_proxy = proxy
        a.reused = self.wire.used

    def drop(self):
        if self.wire:
            self.wire.close()
            self.wire = None

    def initialize_message(self):
        return {
            "jsonrpc": "2.0",
            "id": next(self.ids),
            "method": "initialize",
            "params": {
                "protocolVersion": REVISION,
                "capabilities": {},
                "clientInfo": {"name": "kube-kit", "version": "1"},
            },
        }

    def call_message(self, tool, arguments):
        params = {"name": tool, "arguments": arguments}
        return {"jsonrpc": "2.0", "id": next(self.ids), "method": "tools/call", "params": params}


INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class StreamableClient(Client):
    """Streamable HTTP. The session, if the gateway gives one, is kept until it is forgotten."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.session, self.initialized = None, False

    def forget(self):
        self.session, self.initialized = None, False

    def close(self):
        self.drop()

    def headers(self):
        session = (("Mcp-Session-Id", self.session),) if self.session else ()
        again = () if self.keep_alive else (("Connection", "close"),)
        revision = (("MCP-Protocol-Version", REVISION),) if self.initialized else ()
        return (*HEADERS, *session, *revision, *again)

    async def ask(self, a, proxy, tool, arguments):
        await self.connect(a, proxy)
        if not self.initialized:
            await self.initialize(a, proxy)
        return await self.post(a, proxy, self.call_message(tool, arguments))

    async def initialize(self, a, proxy):
        await self.post(a, proxy, self.initialize_message())
        self.initialized = True
        await self.post(a, proxy, INITIALIZED)

    async def post(self, a, proxy, message):
        if not self.wire or not self.wire.open_still:
            await self.connect(a, proxy)
        w, id = self.wire, message.get("id")
        a.reused, a.bytes = w.used, 0  # of this message: an attempt may take several
        await w.send("POST", self.path, self.headers(), dumps(message))
        response = await w.head()
        a.status = response.status
        try:
            answer = await self.read(a, w, response, id)
        finally:
            a.bytes = w.got
        w.used = True
        if response.closes or not self.keep_alive:
            self.drop_later(a, w)
        if id is None:
            return None
        if answer is None:
            refuse(response)
            raise Failed(EMPTY if not response.body.strip() else WRONG, response.status)
        if not self.initialized:
            self.session = response.headers.get("mcp-session-id")
        if response.status == 503:
            refuse(response)
        return result_of(answer, response.status)

    def drop_later(self, a, w):
        """The connection ends; what the proxy knows of it is asked for first."""
        a.pod, _ = self.proxies[a.proxy].fate(w)
        w.close()
        self.wire = None

    async def read(self, a, w, response, id):
        """The message with that id. A stream is read to its end; if that is not clean, the answer counts all the same."""
        text, answer = b"", None
        try:
            async for part in w.parts(response):
                response.body += part
                if response.is_sse:
                    found, text = wire.events(text + part)
                    answer = next((m for m in (json.loads(d) for _, d in found if d) if m.get("id") == id), answer)
        except Broken as e:
            if answer is None:
                raise
            a.unclean = e.kind
            self.drop_later(a, w)
        if not response.is_sse and response.body.strip() and id is not None:
            try:
                message = json.loads(response.body)
            except ValueError:
                return None
            if response.status < 400 or (isinstance(message, dict) and message.get("id") == id):
                answer = message
        return answer

    async def listen(self, ends, proxy=None):
        """Opens the standalone stream, and notes in `ends` how it ended."""
        end = StreamEnd(self.name, self.clock.now())
        ends.append(end)
        proxy = self.home if proxy is None else proxy
        try:
            a = Attempt(self.clock.now(), proxy)
            await self.connect(a, proxy)
            if not self.initialized:
                await self.initialize(a, proxy)
            self.drop()
            await self.connect(a, proxy)
            w = self.wire
            headers = [h for h in self.headers() if h[0] not in ("Content-Type", "Accept", "Connection")]
            await w.send("GET", self.path, (("Accept", "text/event-stream"), *headers))
            response = await w.head()
            end.status, (end.pod, _) = response.status, self.proxies[proxy].fate(w)
            async for _ in w.parts(response):
                pass
            end.kind = "clean" if response.status == 200 else "not_offered"
        except Broken as e:
            end.kind = e.kind
        except Failed as e:
            end.kind, end.status = e.kind, e.status
        finally:
            end.ended = self.clock.now()
            self.drop()
        return end


class SseClient(Client):
    """The older HTTP+SSE: one GET stream brings all answers, requests are posted beside it."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.stream = self.reader = self.post_path = None
        self.waiting, self.ended = {}, None

    def forget(self):
        if self.reader:
            self.reader.cancel()
        if self.stream:
            self.stream.close()
        self.stream = self.reader = self.post_path = None

    def close(self):
        self.drop()
        self.forget()

    async def ask(self, a, proxy, tool, arguments):
        if not self.reader or self.reader.done():
            await self.open(a, proxy)
        return await self.post(a, proxy, self.call_message(tool, arguments))

    async def open(self, a, proxy):
        self.forget()
        self.drop()
        self.stream = self.wire = await Wire.open(self.proxies[proxy].port, self.source, host=self.proxies[proxy].host)
        self.at_proxy = proxy
        await self.stream.send("GET", self.path, (("Accept", "text/event-stream"),))
        response = await self.stream.head()
        a.status = response.status
        a.pod, _ = self.proxies[proxy].fate(self.stream)
        self.wire = None
        if response.status != 200:
            refuse(response)
        ready = asyncio.get_running_loop().create_future()
        self.reader = asyncio.ensure_future(self.listen_to(self.stream, response, ready))
        self.post_path = await ready
        await self.post(a, proxy, self.initialize_message())
        await self.post(a, proxy, INITIALIZED)

    async def listen_to(self, stream, response, ready):
        """Reads the stream to its end; whoever still waits for an answer has lost it then."""
        text, self.ended = b"", "clean"
        try:
            async for part in stream.parts(response):
                found, text = wire.events(text + part)
                for event, data in found:
                    if event == "endpoint":
                        ready.set_result(data)
                    elif (waiter := self.waiting.pop(json.loads(data).get("id"), None)) and not waiter.done():
                        waiter.set_result(json.loads(data))
        except Broken as e:
            self.ended = e.kind
        for waiter in [ready, *self.waiting.values()]:
            if not waiter.done():
                waiter.set_exception(Broken(RESET if self.ended == RESET else EOF))
        self.waiting.clear()

    async def post(self, a, proxy, message):
        await self.connect(a, proxy)
        id, waiter = message.get("id"), None
        if id is not None:
            waiter = self.waiting[id] = asyncio.get_running_loop().create_future()
        try:
            response = await self.wire.exchange("POST", self.post_path, HEADERS, dumps(message))
            a.status, a.bytes = response.status, self.wire.got
            refuse(response)
            if response.closes:
                self.drop()
            return result_of(await waiter) if waiter else None
        finally:
            self.waiting.pop(id, None)
            if waiter and waiter.done() and not waiter.cancelled():
                waiter.exception()  # else asyncio says that nobody asked

    async def listen(self, ends, proxy=None):
        end = StreamEnd(self.name, self.clock.now())
        ends.append(end)
        a = Attempt(self.clock.now(), self.home if proxy is None else proxy)
        try:
            await self.open(a, a.proxy)
            end.status, end.pod = 200, a.pod
            await asyncio.wait({self.reader})
            end.kind = self.ended
        except Broken as e:
            end.kind = e.kind
        except Failed as e:
            end.kind, end.status = e.kind, e.status
        finally:
            end.ended = self.clock.now()
        return end


TRANSPORTS = {"streamable": StreamableClient, "sse": SseClient}
