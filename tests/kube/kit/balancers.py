"""Real balancers as proxies of the cluster: HAProxy and nginx as an ingress controller configures them, and the rules that
kube-proxy writes for iptables, in a network namespace of our own (netns). Each is one way into the Service, hears of a
change of the endpoints after its delay, and is told of it by its own means: HAProxy by its runtime API, nginx by a new
configuration and SIGHUP, the kernel by iptables-restore. None ever cuts a connection that is established.
"""

import asyncio
import csv
import os
import pathlib
import shutil
import signal
import subprocess

from . import conntrack, gateways
from .endpoints import Balancer, choices
from .wire import Broken, Wire

SLOTS = 24  # servers that HAProxy can have at a time
START = 10.0  # real seconds until a balancer listens


def program(name):
    """Debian's, from the package or as tools/need fetched it."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:{gateways.ROOT}/.cache/{name}/usr/sbin"
    found = shutil.which(name, path=places)
    if not found:
        raise FileNotFoundError(f"{name} is not here: tools/need drill")
    return found


class Told(Balancer):
    """One that is a process and speaks HTTP. It is told of the endpoints one change after another; the last one wins."""

    def __init__(self, cluster, n):
        super().__init__(cluster.clock)
        self.node, self.directory = cluster.node, pathlib.Path(cluster.node.directory) / f"{self.name}-{n}"
        self._wanted, self._change, self._teller, self.process = (), asyncio.Event(), None, None

    async def start(self):
        self.directory.mkdir()
        self.port = self.node.port()
        self.prepare()
        with open(self.directory / "output.log", "wb") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.node.own(self.process.pid)
        await self.listening()
        self._teller = asyncio.ensure_future(self._tell_all())
        return self

    async def listening(self):
        try:
            async with asyncio.timeout(START):
                while True:
                    try:
                        (await Wire.open(self.port)).close()
                        return
                    except Broken:
                        await asyncio.sleep(0.02)
        except TimeoutError:
            raise RuntimeError(f"{self.name} does not start: {(self.directory / 'output.log').read_text()[-1000:]}") from None

    async def close(self):
        if self._teller:
            self._teller.cancel()
            await asyncio.gather(self._teller, return_exceptions=True)
        if self.process:
            self.process.terminate()  # at once, for both
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def set(self, endpoints):
        self._wanted = endpoints
        self._change.set()

    async def _tell_all(self):
        while True:
            await self._change.wait()
            self._change.clear()
            wanted = self._wanted
            await self.tell(choices(wanted))
            super().set(wanted)

    def fate(self, wire):
        """The header that it adds to answers of pods names the pod's port."""
        port = (wire.pod or "").rpartition(":")[2]
        return self.names.get(int(port)) if port.isdigit() else None, False

    def memory(self):
        """Resident memory in KiB, of all its processes."""
        return resident(self.process.pid)


class Haproxy(Told):
    """As the ingress controllers for it do: servers are slots, which get an address and are put into maintenance."""

    name = "haproxy"

    def prepare(self):
        self.slots = [None] * SLOTS
        servers = "\n".join(f"    server s{n} 127.0.0.1:1 disabled" for n in range(SLOTS))
        (self.directory / "haproxy.cfg").write_text(f"""
global
    nbthread 1
    maxconn 4096
    stats socket {self.directory}/socket mode 600 level admin
    stats timeout 1h
defaults
    mode http
    retries 3
    option redispatch 1
    timeout connect 5s
    timeout client 3600s
    timeout server 3600s
    timeout http-keep-alive 3600s
frontend in
    bind 127.0.0.1:{self.port}
    default_backend pods
backend pods
    balance leastconn
    http-reuse safe
    http-response set-header X-Pod %sp
{servers}
""")

    def command(self):
        return [program("haproxy"), "-db", "-f", str(self.directory / "haproxy.cfg")]

    async def ask(self, *commands):
        reader, writer = await asyncio.open_unix_connection(str(self.directory / "socket"))
        writer.write(("; ".join(commands) + "\n").encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    async def tell(self, chosen):
        wanted, commands = {e.port for e in chosen}, []
        for n, port in enumerate(self.slots):
            if port is not None and port not in wanted:
                self.slots[n] = None
                commands.append(f"set server pods/s{n} state maint")
        for port in wanted - set(self.slots):
            n = self.slots.index(None)
            self.slots[n] = port
            commands += [f"set server pods/s{n} addr 127.0.0.1 port {port}", f"set server pods/s{n} state ready"]
        if commands:
            answer = await self.ask(*commands)
            if "No such" in answer or "require" in answer.lower():
                raise RuntimeError(f"haproxy: {answer}")

    async def counters(self):
        rows = csv.DictReader((await self.ask("show stat")).lstrip("# ").splitlines())
        pods = next(row for row in rows if row["pxname"] == "pods" and row["svname"] == "BACKEND")
        wanted = {"connect errors": "econ", "response errors": "eresp", "retries": "wretr", "redispatches": "wredis"}
        return {what: int(pods[key] or 0) for what, key in wanted.items()}


class Nginx(Told):
    """As an ingress controller for it does that writes a configuration and reloads. The workers of the old one end their idle
    connections at once, and finish what they are at."""

    name = "nginx"

    def prepare(self):
        self.write(())

    def write(self, chosen):
        servers = " ".join(f"server 127.0.0.1:{e.port} max_fails=0;" for e in chosen)
        upstream = f"upstream pods {{ least_conn; {servers} keepalive 64; }}" if chosen else ""
        to = "proxy_pass http://pods;" if chosen else "return 503;"
        d = self.directory
        (d / "nginx.conf").write_text(f"""
daemon off; master_process on; user root; worker_processes 1; pid {d}/pid;
error_log {d}/error.log info;
events {{ worker_connections 4096; }}
http {{
    access_log off; tcp_nodelay on; keepalive_timeout 3600s; keepalive_requests 1000000;
    client_body_temp_path {d}/body; proxy_temp_path {d}/proxy;
    fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
    {upstream}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location / {{
            {to} proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off; proxy_read_timeout 3600s; proxy_send_timeout 3600s;
            add_header X-Pod $upstream_addr always;
        }}
    }}
}}
""")

    def command(self):
        return [program("nginx"), "-c", str(self.directory / "nginx.conf"), "-p", str(self.directory)]

    def workers(self):
        return set(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())

    async def tell(self, chosen):
        """It is told when the new worker is there."""
        self.write(chosen)
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(START):
            while not self.workers() - before:
                await asyncio.sleep(0.005)

    async def counters(self):
        text = (self.directory / "error.log").read_text(errors="replace")
        return {
            "connect errors": text.count("while connecting to upstream"),
            "response errors": text.count("while reading response header from upstream"),
        }


class KubeProxy(Balancer):
    """The rules of one node, for the clients that are on it: a chain for the Service that jumps to one of its endpoints at
    random, one DNAT rule for each, and a REJECT when there is none. Connections that are established go on by conntrack."""

    name, port = "kube-proxy", 80

    def __init__(self, cluster, n):
        super().__init__(cluster.clock)
        self.host, self.service, self.reject = f"127.100.0.{n + 1}", f"KUBE-SVC-{n}", f"KUBE-REJECT-{n}"

    async def start(self):
        match = f"-d {self.host}/32 -p tcp -m tcp --dport {self.port}"
        restore(
            f"*nat\n:{self.service} - [0:0]\n-A OUTPUT {match} -j {self.service}\nCOMMIT\n"
            f"*filter\n:{self.reject} - [0:0]\n-A OUTPUT {match} -j {self.reject}\nCOMMIT\n"
        )
        self.write(())
        return self

    async def close(self):
        """The namespace ends with the drill."""

    def set(self, endpoints):
        self.write(choices(endpoints))
        super().set(endpoints)

    def write(self, chosen):
        rules = []
        for n, e in enumerate(chosen):
            left = len(chosen) - n
            dice = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            rules.append(f"-A {self.service} {dice}-p tcp -j DNAT --to-destination 127.0.0.1:{e.port}\n")
        none = "" if chosen else f"-A {self.reject} -j REJECT --reject-with icmp-port-unreachable\n"
        restore(f"*nat\n:{self.service} - [0:0]\n{''.join(rules)}COMMIT\n*filter\n:{self.reject} - [0:0]\n{none}COMMIT\n")

    def fate(self, wire):
        """Conntrack knows where a connection went."""
        return self.names.get(conntrack.port_behind(wire.local, (self.host, self.port))), False


def restore(rules):
    """All of it at once. It takes some milliseconds, in which this process waits: nobody else may reap its child."""
    done = subprocess.run(["iptables-restore", "--noflush", "-w", "5"], input=rules, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"iptables-restore: {done.stderr}\n{rules}")


def resident(pid):
    """Resident memory of a process and its children, in KiB; 0 when it is gone."""
    try:
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024 + sum(resident(int(child)) for child in children)


KINDS = {kind.name: kind for kind in (KubeProxy, Haproxy, Nginx)}
