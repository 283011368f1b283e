"""HTTP/1.1 as a client meets it on the wire. An answer is whole, or Broken says how it was not."""

import asyncio
import contextlib
from dataclasses import dataclass, field

LIMIT = 1 << 24

# How a request can end short of a whole answer.
REFUSED = "refused"  # no connection: nothing was sent
RESET = "reset"
EOF = "eof"  # closed before the first byte of the answer
TRUNCATED = "truncated"  # closed, or reset, inside the answer
TIMEOUT = "timeout"


class Broken(Exception):
    def __init__(self, kind, got=0):
        super().__init__(kind)
        self.kind, self.got = kind, got


@dataclass
class Response:
    status: int
    headers: dict
    body: bytes = b""
    parts: list = field(default_factory=list)

    @property
    def is_sse(self):
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


class Wire:
    """One connection. `local` is (address, port) of our end, by which a proxy tells its fate; one that speaks HTTP tells it
    in a header, which is kept as `pod`."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.got, self.used, self.pod = reader, writer, 0, False, None
        self.local = writer.get_extra_info("sockname")

    @classmethod
    async def open(cls, port, source="127.0.0.1", timeout=10.0, host="127.0.0.1"):
        try:
            opened = asyncio.open_connection(host, port, limit=LIMIT, local_addr=(source, 0))
            return cls(*await asyncio.wait_for(opened, timeout))
        except asyncio.TimeoutError:
            raise Broken(TIMEOUT) from None
        except OSError:
            raise Broken(REFUSED) from None

    def close(self):
        self.writer.close()

    @property
    def open_still(self):
        """False when the end of it has been seen already: a client with a pool would not use it again."""
        return not self.reader.at_eof() and self.reader.exception() is None and not self.writer.is_closing()

    async def send(self, method, path, headers=(), body=b""):
        self.got, self.pod = 0, None
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{key}: {value}" for key, value in headers)]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        try:
            self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            await self.writer.drain()
        except OSError:
            raise Broken(RESET) from None

    def _broken(self, reset):
        if self.got:
            return Broken(TRUNCATED, self.got)
        return Broken(RESET if reset else EOF)

    async def _read(self, reading):
        try:
            data = await reading
        except asyncio.IncompleteReadError as e:
            self.got += len(e.partial)
            raise self._broken(False) from None
        except OSError:
            raise self._broken(True) from None
        self.got += len(data)
        return data

    async def head(self):
        """A response's head; interim ones are passed over."""
        while True:
            text = await self._read(self.reader.readuntil(b"\r\n\r\n"))
            first, *lines = text.decode("latin-1").split("\r\n")[:-2]
            pairs = (line.partition(":") for line in lines)
            response = Response(int(first.split(" ")[1]), {k.strip().lower(): v.strip() for k, _, v in pairs})
            if response.status >= 200:
                self.pod = response.headers.get("x-pod")
                return response

    async def parts(self, response):
        """The body as it comes. Ends only when it is whole."""
        if response.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await self._read(self.reader.readuntil(b"\r\n"))).split(b";")[0], 16):
                yield (await self._read(self.reader.readexactly(size + 2)))[:-2]
            await self._read(self.reader.readuntil(b"\r\n"))
        elif "content-length" in response.headers:
            yield await self._read(self.reader.readexactly(int(response.headers["content-length"])))
        elif response.status not in (202, 204, 304):
            while data := await self._read(self.reader.read(65536)):
                yield data

    async def response(self):
        """A whole response."""
        response = await self.head()
        response.body = b"".join([part async for part in self.parts(response)])
        self.used = True
        return response

    async def exchange(self, method, path, headers=(), body=b"", timeout=None):
        await self.send(method, path, headers, body)
        try:
            return await asyncio.wait_for(self.response(), timeout)
        except asyncio.TimeoutError:
            raise Broken(TIMEOUT, self.got) from None


async def get(port, path, headers=(), timeout=None):
    """The status of one GET; None when there was none in time."""
    connection = None
    try:
        async with asyncio.timeout(timeout):
            connection = await Wire.open(port)
            return (await connection.exchange("GET", path, (*headers, ("Connection", "close")))).status
    except (Broken, TimeoutError):
        return None
    finally:
        if connection:
            with contextlib.suppress(OSError):
                connection.close()


def events(text):
    """The `data` of each event in the text of a stream, and what is left of it, an event that has only begun."""
    *blocks, rest = text.replace(b"\r\n", b"\n").split(b"\n\n")
    found = []
    for block in blocks:
        event, data = "message", []
        for line in block.split(b"\n"):
            key, _, value = line.partition(b":")
            if key == b"data":
                data.append(value.removeprefix(b" "))
            elif key == b"event":
                event = value.strip().decode()
        if data:
            found.append((event, b"\n".join(data).decode()))
    return found, rest
