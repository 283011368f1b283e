"""A terminal for programs that want one: what they show, and keys pressed at them."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time


class Terminal:
    """A process whose stdin, stdout and stderr are a terminal of that many columns."""

    def __init__(self, args, columns=100, **popen):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.shown = b""
        fds = {"stdin": slave, "stdout": slave, "stderr": slave, **popen}
        self.process = subprocess.Popen([str(a) for a in args], preexec_fn=self.own_session, **fds)
        os.close(slave)

    @staticmethod
    def own_session():
        os.setsid()
        fcntl.ioctl(2, termios.TIOCSCTTY, 0)

    def press(self, keys):
        os.write(self.master, keys)

    def read(self, until=None, timeout=10.0):
        """Reads until `until` was shown, or to the end."""
        deadline = time.monotonic() + timeout
        while until is None or until not in self.shown:
            left = deadline - time.monotonic()
            assert left > 0, f"not shown in {timeout} s: {until!r}, but {self.shown!r}"
            if not select.select([self.master], [], [], min(left, 0.05))[0]:
                if self.process.poll() is not None and until is None:
                    break
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:  # EIO: nobody has the other end open any more
                data = b""
            if not data:
                assert until is None, f"ended without {until!r}: {self.shown!r}"
                break
            self.shown += data
        return self.shown

    def finish(self, timeout=10.0):
        """(exit code, all that was shown)"""
        self.read(timeout=timeout)
        code = self.process.wait(timeout)
        os.close(self.master)
        return code, self.shown.decode().replace("\r\n", "\n")
