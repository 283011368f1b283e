"""Time that can be scaled: whoever uses this clock counts in seconds of real life."""

import asyncio
import time


class Clock:
    def __init__(self, scale=1.0):
        self.scale, self.began = scale, time.monotonic()

    def now(self):
        """Seconds of life since the clock was made."""
        return (time.monotonic() - self.began) / self.scale

    def real(self, seconds):
        return seconds * self.scale

    async def sleep(self, seconds):
        await asyncio.sleep(self.real(max(0.0, seconds)))

    def later(self, seconds, action, *args):
        return asyncio.get_running_loop().call_later(self.real(seconds), action, *args)
