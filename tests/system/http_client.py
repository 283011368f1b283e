"""A raw-socket HTTP/1.1 client that hides nothing: tests see and send the very bytes.

Every wait has a deadline; when it passes a test fails with TimeoutError instead of hanging.
"""

import socket
import ssl
import time

TIMEOUT = 5.0
TLS = {}  # addresses that speak it, and the ssl.SSLContext to talk to each


class TlsSocket:
    """TLS on a socket. Unlike an ssl.SSLSocket it may end its half and go on reading; an end that nobody told is an
    error only to the `strict`."""

    def __init__(self, sock, context):
        self.sock, self.strict = sock, False
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self._do(self.tls.do_handshake)

    def _flush(self):
        if self.outgoing.pending:
            self.sock.sendall(self.outgoing.read())

    def _do(self, work, *args):
        while True:
            try:
                result = work(*args)
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(262144)
                self.incoming.write(data) if data else self.incoming.write_eof()

    def sendall(self, data):
        self._do(self.tls.write, data)

    def recv(self, size):
        try:
            return self._do(self.tls.read, size)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as e:
            if self.strict and not isinstance(e, ssl.SSLZeroReturnError):
                raise
            return b""

    def getpeercert(self):
        return self.tls.getpeercert()

    def __getattr__(self, name):
        return getattr(self.sock, name)


def split_address(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


class Response:
    def __init__(self, status, reason, headers, body=b""):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    @property
    def is_sse(self):
        return (self.header("content-type") or "").startswith("text/event-stream")

    @property
    def closes(self):
        return (self.header("connection") or "").lower() == "close"

    def json(self):
        import json

        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:300]!r}>"


class Closed(Exception):
    """The peer closed or reset the connection; `got` is what came before."""

    def __init__(self, why, got=b""):
        super().__init__(f"{why} after {got[:200]!r}")
        self.why, self.got = why, got


class Connection:
    """One TCP connection. Answers are read one at a time, so pipelined ones stay apart."""

    def __init__(self, address, timeout=TIMEOUT, receive_buffer=None):
        host, port = split_address(address)
        self.host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.timeout = timeout
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address in TLS:
            self.sock = TlsSocket(self.sock, TLS[address])
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with an RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.sock.settimeout(self.timeout)
        self.sock.sendall(data)

    def request(self, method, path, headers=(), body=b"", host=True):
        """Sends a request as it should be; hostile ones use send()."""
        if isinstance(body, str):
            body = body.encode()
        lines = [f"{method} {path} HTTP/1.1"]
        if host:
            lines.append(f"Host: {self.host}")
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        lines += [f"{key}: {value}" for key, value in pairs]
        if body or method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def exchange(self, method, path, headers=(), body=b"", timeout=None):
        self.request(method, path, headers, body)
        return self.response(timeout, head_only=method == "HEAD")

    # reading

    def _more(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing more within the time; so far {self.buffer[:300]!r}")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(262144)
        except socket.timeout:
            raise TimeoutError(f"nothing more within the time; so far {self.buffer[:300]!r}") from None
        except (ConnectionError, ssl.SSLError) as e:
            raise Closed(type(e).__name__, self.buffer) from None
        if not data:
            raise Closed("EOF", self.buffer)
        self.buffer += data

    def _until(self, mark, deadline):
        while mark not in self.buffer:
            self._more(deadline)
        part, _, self.buffer = self.buffer.partition(mark)
        return part

    def _exactly(self, n, deadline):
        while len(self.buffer) < n:
            self._more(deadline)
        part, self.buffer = self.buffer[:n], self.buffer[n:]
        return part

    def head(self, timeout=None):
        """Reads a response's head; the body stays on the connection."""
        deadline = time.monotonic() + (timeout or self.timeout)
        lines = self._until(b"\r\n\r\n", deadline).decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        headers = [(key, value.strip()) for key, _, value in (line.partition(":") for line in lines[1:])]
        return Response(int(status), reason[0] if reason else "", headers)

    def chunk(self, deadline):
        size = int(self._until(b"\r\n", deadline).split(b";")[0], 16)
        data = self._exactly(size + 2, deadline)
        assert data.endswith(b"\r\n"), data[-10:]
        return data[:-2]

    def body(self, response, deadline):
        if response.status in (204, 304) or response.status < 200:
            return b""
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            parts = []
            while part := self.chunk(deadline):
                parts.append(part)
            return b"".join(parts)
        length = response.header("content-length")
        if length is not None:
            return self._exactly(int(length), deadline)
        try:
            while True:
                self._more(deadline)
        except Closed as e:
            if e.why != "EOF":
                raise
        rest, self.buffer = self.buffer, b""
        return rest

    def response(self, timeout=None, head_only=False):
        """Reads a whole response. Interim ones (1xx) are returned too."""
        deadline = time.monotonic() + (timeout or self.timeout)
        r = self.head(timeout)
        if not head_only:
            r.body = self.body(r, deadline)
        return r

    def wait_closed(self, timeout=None, reset_is_fine=True):
        """Reads until the peer closes; returns what came before."""
        deadline = time.monotonic() + (timeout or self.timeout)
        try:
            while True:
                self._more(deadline)
        except Closed as e:
            if e.why != "EOF" and not reset_is_fine:
                raise
            rest, self.buffer = self.buffer, b""
            return rest

    def is_quiet(self, seconds=0.15):
        """True when nothing comes and nothing is closed for that long."""
        try:
            self._more(time.monotonic() + seconds)
        except TimeoutError:
            return True
        return False


class Event:
    def __init__(self):
        self.id = self.event = self.retry = None
        self.data, self.comments = None, []

    def json(self):
        import json

        return json.loads(self.data)

    def __repr__(self):
        return f"<event id={self.id} event={self.event} retry={self.retry} data={self.data!r} {self.comments}>"


class EventStream:
    """The events of a text/event-stream body (WHATWG HTML, 9.2), comments kept, read from a connection."""

    def __init__(self, connection, response):
        assert response.is_sse, response
        self.connection, self.response = connection, response
        self.chunked = (response.header("transfer-encoding") or "").lower() == "chunked"
        self.text, self.ended = b"", False

    def _fill(self, deadline):
        if self.chunked:
            part = self.connection.chunk(deadline)
            self.ended = not part
        else:
            try:
                self.connection._more(deadline)
            except Closed:
                self.ended = True
            part, self.connection.buffer = self.connection.buffer, b""
        self.text += part

    def next(self, timeout=None):
        """The next event or comment block; None at the end of the stream."""
        deadline = time.monotonic() + (timeout or self.connection.timeout)
        while b"\n\n" not in self.text:
            if self.ended:
                assert self.text.strip() == b"", f"cut inside an event: {self.text!r}"
                return None
            self._fill(deadline)
        block, _, self.text = self.text.partition(b"\n\n")
        return self._parse(block)

    @staticmethod
    def _parse(block):
        event, data = Event(), []
        for line in block.decode().split("\n"):
            if line.startswith(":"):
                event.comments.append(line[1:].strip())
                continue
            key, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if key == "data":
                data.append(value)
            elif key in ("id", "event", "retry"):
                setattr(event, key, value)
        event.data = "\n".join(data) if data else None
        return event

    def next_message(self, timeout=None):
        """The next JSON message, passing over comments and priming events; None at the end."""
        deadline = time.monotonic() + (timeout or self.connection.timeout)
        while (event := self.next(max(0.001, deadline - time.monotonic()))) is not None:
            if event.data:
                return event.json()
        return None

    def drain(self, quiet=0.6):
        """Reads until nothing comes for that long; the messages that came."""
        found = []
        try:
            while (message := self.next_message(quiet)) is not None:
                found.append(message)
        except TimeoutError:
            pass
        return found

    def messages(self, timeout=None):
        """All messages up to the end of the stream."""
        found = []
        while (message := self.next_message(timeout)) is not None:
            found.append(message)
        return found
