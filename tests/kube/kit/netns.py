"""A network namespace of our own, with nothing in it but lo: addresses, ports and rules of iptables in it are nobody
else's, and end with it."""

import ctypes
import os
import shutil
import socket
import subprocess

from . import conntrack
from .balancers import restore

CLONE_NEWNET = 0x40000000
MISSING = "the drill needs root, and a kernel with network namespaces, iptables, its statistic match and conntrack: "


def enter():
    """Moves this process there. What is missing for it is an error; nothing is left out silently."""
    if not shutil.which("iptables-restore") or not shutil.which("ip"):
        raise RuntimeError(MISSING + "iptables or ip is not installed (tools/need drill)")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise RuntimeError(MISSING + os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    check()


def check():
    """A connection through a rule that the dice pass, and what conntrack tells of it."""
    service = "127.100.255.254", 80
    match = f"-d {service[0]}/32 -p tcp -m tcp --dport {service[1]} -m statistic --mode random --probability 1.0"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        try:
            restore(f"*nat\n-A OUTPUT {match} -j DNAT --to-destination 127.0.0.1:{port}\nCOMMIT\n")
            with socket.create_connection(service, 5) as s:
                found = conntrack.port_behind(s.getsockname(), service)
        except (OSError, RuntimeError) as e:
            raise RuntimeError(MISSING + str(e)) from None
    if found != port:
        raise RuntimeError(MISSING + f"conntrack says {found} instead of {port}")
