"""How each gateway is started with one server over stdio, and where it answers. The npm packages are those of
tests/kube/gateways; each is started by node itself, without npx or a shell in between, which is kindest to it."""

import base64
import json
import os
import pathlib
import shlex
import subprocess
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGES = ROOT / "tests" / "kube" / "gateways" / "node_modules"
SERVER = "ex"  # what the server is called where it needs a name
SESSION_KEY = base64.b64encode(bytes(range(32))).decode()  # replicas share a key, as docs/configuration.md tells


@dataclass(frozen=True)
class Target:
    """How clients reach a gateway."""

    transport: str = "streamable"
    path: str = "/mcp"
    prefix: str = ""

    def tool(self, name):
        return self.prefix + name


@dataclass(frozen=True)
class Gateway:
    """`health` is the path of its readiness, None if it has none; `honest_health` False if that says no more than that it
    listens. `command(port, server, directory)` gives the command line."""

    name: str
    version: str
    target: Target
    health: str | None
    command: object
    notes: tuple = ()


def sluice_binary():
    return os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))


def sluice_config(server, **top):
    """A configuration for one server; `top` replaces blocks of it."""
    entry = {"command": server[0], "args": list(server[1:]), "startup": "required"}
    return {"mcpServers": {SERVER: entry}, "session": {"keys": [{"id": "k", "secret": SESSION_KEY}]}, **top}


def sluice_lifecycle(scale=1.0, grace=30, **more):
    """The default lifecycle, with its durations scaled."""

    def dur(seconds):
        return f"{round(seconds * scale * 1000)}ms"

    lame_duck = {"min": dur(5), "quiet": dur(2), "max": dur(10)}
    return {"gracePeriod": dur(grace), "margin": dur(2), "lameDuck": lame_duck, **more}


def write(directory, name, config):
    path = pathlib.Path(directory) / name
    path.write_text(json.dumps(config))
    return path


def sluice_command(port, server, directory, config=None, extra=()):
    path = write(directory, f"sluice-{port}.json", config or sluice_config(server))
    flags = ("--admin", "off", "--log-format", "json", "--config", str(path), *extra)
    return (sluice_binary(), "serve", "--http", f"127.0.0.1:{port}", *flags)


def script_of(package):
    entry = json.loads((PACKAGES / package / "package.json").read_text())["bin"]
    entry = entry if isinstance(entry, str) else entry[package]
    return "node", str(PACKAGES / package / entry)


def version_of(package):
    return json.loads((PACKAGES / package / "package.json").read_text())["version"]


def sluice():
    version = subprocess.run([sluice_binary(), "--version"], capture_output=True, text=True).stdout.strip()
    return Gateway("sluice", version, Target(prefix=f"{SERVER}__"), "/readyz", sluice_command)


def supergateway():
    def command(port, server, _directory):
        options = ("--outputTransport", "streamableHttp", "--port", str(port), "--healthEndpoint", "/healthz")
        return (*script_of("supergateway"), "--stdio", shlex.join(server), *options)

    notes = ("stateless, as it is by default: a server process for each request; it offers no GET stream",)
    return Gateway("supergateway", version_of("supergateway"), Target(), "/healthz", command, notes)


def mcp_proxy():
    def command(port, server, _directory):
        return (*script_of("mcp-proxy"), "--port", str(port), "--host", "127.0.0.1", "--", *server)

    return Gateway("mcp-proxy", version_of("mcp-proxy"), Target(), "/ping", command)


def mcp_hub():
    def command(port, server, directory):
        config = {"mcpServers": {SERVER: {"command": server[0], "args": list(server[1:])}}}
        path = write(directory, f"mcp-hub-{port}.json", config)
        return (*script_of("mcp-hub"), "--port", str(port), "--config", str(path))

    notes = ("its MCP endpoint speaks HTTP+SSE: all answers of a client come on its one stream",)
    return Gateway("mcp-hub", version_of("mcp-hub"), Target("sse", prefix=f"{SERVER}__"), "/api/health", command, notes)


def other(line, target, health):
    """Any command line; {port} and {server} stand for the port and the server's command."""

    def command(port, server, _directory):
        words = shlex.split(line)
        return tuple(w.replace("{port}", str(port)).replace("{server}", shlex.join(server)) for w in words)

    return Gateway("command", "", target, health, command)


KNOWN = {"sluice": sluice, "supergateway": supergateway, "mcp-proxy": mcp_proxy, "mcp-hub": mcp_hub}


def environment(directory):
    """That of a container: nothing that configures a gateway, and a home of its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MCP_", "SLUICE", "PYTEST", "XDG_", "npm_"))}
    return {**env, "HOME": str(directory), "NO_UPDATE_NOTIFIER": "1"}
