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
        self._listening = set()

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

    def steady_calls(self, rate, clients, keep_alive=True):
        """So many calls a second, by so many clients: who was kept waiting calls again at once."""
        for n in range(clients):
            self._spawn(self._call_steadily(self.client(keep_alive), clients / rate, n / rate))

    async def _call_steadily(self, client, every, phase):
        loop = asyncio.get_running_loop()
        due = loop.time() + phase
        while not self._stopping:
            await asyncio.sleep(max(0, due - loop.time()))
            await self.echo(client)
            due = max(due + every, loop.time())

    def rare_calls(self, clients, every):
        """Clients that keep their connection for so many seconds of life without a word, then call."""
        for n in range(clients):
            self._spawn(self._call_rarely(self.client(), every, n * every / clients))

    async def _call_rarely(self, client, every, phase):
        await self.clock.sleep(phase)
        while not self._stopping:
            await self.echo(client, "rare")
            due = self.clock.now() + every
            while not self._stopping and self.clock.now() < due:
                await self.clock.sleep(min(0.25, due - self.clock.now()))

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

    def long_calls(self, count, seconds):
        """So many clients, each with one call after another that takes so long; begun one by one."""
        for n in range(count):
            self._spawn(self._call_at_length(self.client(), seconds, n * seconds / count))

    async def _call_at_length(self, client, seconds, phase):
        await self.clock.sleep(phase)
        while not self._stopping:
            await self._long_call(client, seconds)

    def tuned_in(self, count, retry=1.0):
        """So many clients that listen: when the stream ends they wait as `retry:` tells them, and open it again."""
        for n in range(count):
            self._listening.add(asyncio.ensure_future(self._listen_on(self.client(), retry)))

    async def _listen_on(self, client, retry):
        while not self._stopping:
            end = await client.listen(self.streams)
            if end.kind == "not_offered":
                return
            await self.clock.sleep(retry)

    def open_streams(self, count, home=None):
        """So many standalone streams, each left open until the gateway ends it."""
        for _ in range(count):
            self._spawn(self.client(home=home).listen(self.streams))

    async def settle(self, timeout=30):
        """No new requests; waits until all that were begun have ended. What is open then is cancelled, and so are streams of
        clients that would come back."""
        self._stopping = True
        deadline = self.clock.now() + timeout
        while self._tasks and self.clock.now() < deadline:
            await asyncio.wait(set(self._tasks), timeout=self.clock.real(0.2))
        unfinished = len(self._tasks)
        for task in [*self._tasks, *self._listening]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._listening, return_exceptions=True)
        for client in self._clients:
            client.close()
        return unfinished
