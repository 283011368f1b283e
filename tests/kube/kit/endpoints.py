"""The endpoint controller and the proxies of the nodes.

The controller publishes the conditions of every pod of a Service after a delay of its own; each proxy learns of it after
another, or never. A proxy is a balancer of connections like kube-proxy: it picks an endpoint when a connection is
opened, and never cuts one that is established. Bytes, half-closes and resets pass through it as they are. If no endpoint is
ready, one that is terminating but still serves is used (KEP-1669).
"""

import asyncio
import random
import socket
from dataclasses import dataclass

DELAYS = (0, 0.1, 1, 3, 10)  # seconds until a proxy hears of a change: the usual, the busy, the overloaded
RST = b"\x01\0\0\0\0\0\0\0"  # struct linger: on, 0 s
REMEMBERED = 100000  # connections whose fate a proxy can still tell


@dataclass(frozen=True)
class Endpoint:
    pod: str
    port: int
    ready: bool
    serving: bool
    terminating: bool


def choices(endpoints):
    """The endpoints that new connections may go to."""
    ready = [e for e in endpoints if e.ready]
    return ready or [e for e in endpoints if e.serving and e.terminating]


def draw_delays(seed, count, longest=DELAYS[-1], one_never_learns=False):
    """A delay for each proxy, the same for the same seed."""
    draw = random.Random(seed)
    delays = [draw.choice([d for d in DELAYS if d <= longest]) for _ in range(count)]
    return [*delays[1:], None] if one_never_learns else delays


class EndpointController:
    def __init__(self, clock, delay=0.0):
        self.clock, self.delay, self.pods, self.proxies = clock, delay, [], []

    def add(self, pod):
        self.pods.append(pod)
        self.changed(pod)

    def changed(self, _pod):
        """Told by the kubelet. A pod that is gone is no endpoint any more."""
        self.pods = [p for p in self.pods if not p.gone.is_set()]
        now = tuple(Endpoint(p.name, p.port, p.ready, p.serving, p.terminating) for p in self.pods)
        self.clock.later(self.delay, self._publish, now)

    def _publish(self, endpoints):
        for proxy in self.proxies:
            proxy.learn(endpoints)


class Balancer:
    """What takes the connections of clients at `host` and `port`, and hears of a change of the endpoints after `delay`
    seconds. `delay` None: it has lost the API server and never learns again. `learned` is what it knew, and since when."""

    name, host, port = "relay", "127.0.0.1", None

    def __init__(self, clock, delay=0.0):
        self.clock, self.delay = clock, delay
        self.endpoints, self.learned, self.names = (), [], {}

    def learn(self, endpoints):
        self.names |= {e.port: e.pod for e in endpoints}
        if self.delay is not None:
            self.clock.later(self.delay, self._apply, endpoints)

    def _apply(self, endpoints):
        if self.delay is not None:
            self.set(endpoints)

    def set(self, endpoints):
        """New connections go to these from now on."""
        self.endpoints = endpoints
        self.learned.append((self.clock.now(), tuple(e.pod for e in choices(endpoints))))

    async def counters(self):
        """What it counted of its own connections to pods, by name: refused or timed out (`connect errors`), answers that never
        came (`response errors`), requests that it sent again (`retries`, `redispatches`)."""
        return {}


class Proxy(Balancer):
    """One that relays in this process. With `affinity`, a client's address stays with its endpoint for as long as that may
    be chosen (sessionAffinity: ClientIP)."""

    def __init__(self, clock, delay=0.0, affinity=False, seed=0):
        super().__init__(clock, delay)
        self.affinity, self.random = affinity, random.Random(seed)
        self.fates, self._homes, self._relays = {}, {}, set()

    async def start(self):
        self.server = await asyncio.get_running_loop().create_server(lambda: Inbound(self), self.host, 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def close(self):
        self.server.close()
        for relay in list(self._relays):
            relay.transport.abort()
        await self.server.wait_closed()

    def pick(self, address):
        possible = choices(self.endpoints)
        home = self._homes.get(address) if self.affinity else None
        if home in [e.pod for e in possible]:
            return next(e for e in possible if e.pod == home)
        chosen = self.random.choice(possible) if possible else None
        if chosen:
            self._homes[address] = chosen.pod
        return chosen

    def fate(self, wire):
        """What became of a connection: (pod or None, whether it was refused)."""
        return self.fates.get(wire.local, (None, False))

    def note(self, client, pod, refused):
        if len(self.fates) >= REMEMBERED:
            self.fates.pop(next(iter(self.fates)))
        self.fates[client] = (pod, refused)


class Relay(asyncio.Protocol):
    """One side of a relayed connection; `peer` is the other."""

    transport = peer = None
    ended = False

    def connection_made(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.peer.transport.write(data)

    def eof_received(self):
        """Half of it is over; when both halves are, so is the connection."""
        self.ended = True
        if self.peer and self.peer.transport and not self.peer.transport.is_closing():
            self.peer.transport.write_eof()
        if self.peer and self.peer.ended:
            self.end(reset=False)
            self.peer.end(reset=False)
        return True

    def connection_lost(self, error):
        if self.peer and self.peer.transport:
            self.peer.end(reset=error is not None)

    def pause_writing(self):
        self.peer.transport.pause_reading()

    def resume_writing(self):
        if not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def end(self, reset):
        if self.transport.is_closing():
            return
        if reset:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            self.transport.abort()
        else:
            self.transport.close()


class Inbound(Relay):
    """The client's side. What comes before the pod's side is there (little, for reading is paused) waits in `early`."""

    def __init__(self, proxy):
        self.proxy, self.task, self.early, self.early_eof = proxy, None, b"", False

    def connection_made(self, transport):
        super().connection_made(transport)
        self.proxy._relays.add(self)
        self.client = transport.get_extra_info("peername")
        transport.pause_reading()
        self.task = asyncio.ensure_future(self._connect())

    async def _connect(self):
        chosen = self.proxy.pick(self.client[0])
        pod = chosen.pod if chosen else None
        try:
            if not chosen:
                raise ConnectionRefusedError
            _, self.peer = await asyncio.get_running_loop().create_connection(Relay, "127.0.0.1", chosen.port)
        except OSError:
            self.proxy.note(self.client, pod, True)
            self.end(reset=True)
            return
        self.peer.peer = self
        self.proxy.note(self.client, pod, False)
        if self.transport.is_closing():
            self.peer.end(reset=True)
            return
        self.peer.transport.write(self.early)
        if self.early_eof:
            self.peer.transport.write_eof()
        self.transport.resume_reading()

    def data_received(self, data):
        if self.peer:
            super().data_received(data)
        else:
            self.early += data

    def eof_received(self):
        self.early_eof = not self.peer
        return super().eof_received()

    def connection_lost(self, error):
        self.proxy._relays.discard(self)
        super().connection_lost(error)

