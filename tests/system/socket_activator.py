"""Hands listening sockets over as systemd does (sd_listen_fds(3)): socket_activator.py DESCRIPTORS NAMES COMMAND...
with the descriptors that it inherited itself, separated by commas, and their names by colons ("-": names are not told).
Becomes the command, so the process stays the same."""

import os
import sys

descriptors = [int(text) for text in sys.argv[1].split(",")]
high = [os.dup(fd) for fd in descriptors]
while min(high) < 3 + len(high):  # out of the way of the numbers to come
    high = [os.dup(fd) for fd in high]
for n, fd in enumerate(high):
    os.dup2(fd, 3 + n, inheritable=True)
os.closerange(3 + len(high), 256)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)))
if sys.argv[2] != "-":
    os.environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execv(sys.argv[3], sys.argv[3:])
