"""Clients that work, and the ledger of all that they asked for. Rates are per second of this run: time can be scaled,
the machine cannot."""

import asyncio
import itertools

from .client import TRANSPORTS

CLIENTS_AT_ONE_ADDRESS = 250


class Load:
    """`target` says how the gateway is reached: its transport, its path and the names of its tools."""

    def __init__(self, clock, proxies, target, timeout=60):
        self.clock, self.proxies, self.target, self.timeout = clock, proxies, target, timeout
        self.requests, self.streams = [], []
        self._names, self._tasks, self._stopping, self._clients = itertools.count(), set(), False, []

    def client(self, keep_alive=True, home=None):
        """A new client with an address of its own, at one proxy after another."""
        n = next(self._names)
        home = n % len(self.proxies) if home is None else home
        source = f"127.{1 + n // CLIENTS_AT_ONE_ADDRESS ** 2}.{n // CLIENTS_AT_ONE_ADDRESS % CLIENTS_AT_ONE_ADDRESS}.{n % CLIENTS_AT_ONE_ADDRESS + 1}"
        client = TRANSPORTS[self.target.transport](
            self.clock, self.proxies, f"c{n}", home, source, self.target.path, keep_alive, self.timeout
        )
        self._clients.append(client)
        return client

    def _spawn(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def echo(self, client, what="short"):
        text = f"{client.name} {len(self.requests)}"
        request = await client.call(self.target.tool("echo"), {"text": text}, text, what)
        self.requests.append(request)
        return request

    # kinds of load

    def short_calls(self, clients=4, every=0.1, keep_alive=True, home=None):
        """So many clients, each with a call so often."""
        for n in range(clients):
            self._spawn(self._call_often(self.client(keep_alive, home), every, n * every / clients))

    async def _call_often(self, client, every, phase):
        await asyncio.sleep(phase)
        while not self._stopping:
            await self.echo(client)
            await asyncio.sleep(every)

    def newcomers(self, every=0.1, home=None):
        """A new client so often: connect, initialize, call, leave."""
        self._spawn(self._come_often(every, home))

    async def _come_often(self, every, home):
        while not self._stopping:
            self._spawn(self._come(home))
            await asyncio.sleep(every)

    async def _come(self, home):
        client = self.client(keep_alive=True, home=home)
        await self.echo(client, "newcomer")
        client.close()
        self._clients.remove(client)

    def long_call(self, seconds, keep_alive=True, home=None):
        """One call that the server takes so long for; the task's result is its request."""
        return self._spawn(self._long_call(self.client(keep_alive, home), seconds))

    async def _long_call(self, client, seconds):
        ms = round(self.clock.real(seconds) * 1000)
        request = await client.call(self.target.tool("sleep"), {"ms": ms}, "slept", "long")
        self.requests.append(request)
        return request

    def open_streams(self, count, home=None):
        """So many standalone streams, each left open until the gateway ends it."""
        for _ in range(count):
            self._spawn(self.client(home=home).listen(self.streams))

    async def settle(self, timeout=30):
        """No new requests; waits until all that were begun have ended. What is open then is cancelled."""
        self._stopping = True
        deadline = self.clock.now() + timeout
        while self._tasks and self.clock.now() < deadline:
            await asyncio.wait(set(self._tasks), timeout=self.clock.real(0.2))
        unfinished = len(self._tasks)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients:
            client.close()
        return unfinished
