"""deploy/compose.yaml: read by docker-compose, which needs no engine for that, and brought up by it through podman's
service, which speaks docker's API."""

import contextlib
import json
import os
import subprocess
from signal import SIGKILL

import pytest
import yaml
from harness import ROOT, command_of, descendants_of, is_alive, known_children, wait_until
from mcp_client import McpHttp
from podman import MAIN, Container, family_of

FILE = ROOT / "deploy" / "compose.yaml"
PROJECT = "sluice-test"


def compose(engine, *arguments, file=FILE, timeout=60, **env):
    environment = [f"{key}={value}" for key, value in env.items()]
    return engine.run("env", *environment, "docker-compose", "-p", PROJECT, "-f", file, *arguments, timeout=timeout).stdout


def test_it_is_as_a_gateway_must_be_run(engine):
    service = yaml.safe_load(compose(engine, "config"))["services"]["sluice"]
    assert service["stop_grace_period"] == service["environment"]["MCP_GRACE_PERIOD"] == "30s"
    assert service["healthcheck"]["test"] == ["CMD", "sluice", "healthcheck", "http://127.0.0.1:9902/health"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["user"] == "65532:65532"
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ports"] == ["127.0.0.1:8080:8080/tcp"]
    assert {v.split(":")[1] for v in service["volumes"]} == {"/etc/sluice", "/home/sluice"} and service["tmpfs"] == ["/tmp"]


def test_its_configuration_is_right(containers, runners):
    folder = FILE.parent / "compose"
    mounts = [f"--volume={folder}:/etc/sluice:ro", f"--volume={folder}/api-token.example:/run/secrets/api-token:ro"]
    said = containers.podman("run", "--rm", "--network", "host", *mounts, runners, "check")
    assert "ok, 2 servers\n" in said, said


@contextlib.contextmanager
def docker_socket(engine):
    address = f"unix://{engine.directory}/docker.sock"
    service = subprocess.Popen(["podman", "system", "service", "--time", "0", address], env=engine.env, stderr=subprocess.DEVNULL)
    known_children.add(service.pid)
    try:
        wait_until(lambda: os.path.exists(f"{engine.directory}/docker.sock"), 10, "podman's service")
        yield address
    finally:
        service.terminate()
        service.wait(10)
        known_children.discard(service.pid)
        # What an `exec` has left: conmon stays for five minutes, so that the result can be asked for.
        for pid in [pid for pid in descendants_of(os.getpid()) if "conmon" in command_of(pid)]:
            os.kill(pid, SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


@pytest.fixture
def project(containers, servers_image, tmp_path):
    """The file as it is, with other servers, and on the host's network: here is no other, where ports could be mapped."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "servers.json").write_text(json.dumps({**json.loads(EVERYTHING), "lifecycle": NO_LAME_DUCK}))
    for path in (tmp_path, config):
        path.chmod(0o755)
    read = yaml.safe_load(compose(containers, "config", SLUICE_CONFIG=config, SLUICE_IMAGE=servers_image))
    del read["services"]["sluice"]["ports"]
    read["services"]["sluice"]["network_mode"] = "host"
    file = tmp_path / "compose.yaml"
    file.write_text(yaml.safe_dump(read))
    return file


EVERYTHING = '{"mcpServers": {"everything": {"command": "mcp-server-everything", "startup": "required"}}}'
NO_LAME_DUCK = {"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}


def test_it_comes_up_serves_and_goes_down(containers, project):
    with docker_socket(containers) as address:
        run = lambda *arguments: compose(containers, *arguments, file=project, DOCKER_HOST=address)  # noqa: E731
        try:
            run("up", "--detach", "--no-build")
            c = Container(containers, run("ps", "--quiet").strip()).wait_ready()
            assert c.is_healthy() and int(c.status("CapBnd")[0], 16) == 0 and c.status("Uid")[0] == "65532"
            assert "everything" in run("exec", "-T", "sluice", "sluice", "status", "--json")
            with McpHttp(MAIN) as client:
                client.initialize()
                assert client.text("everything__echo", {"message": "hello"}) == "Echo: hello"
            family = family_of(c.pid)
            run("stop")
            assert c.inspect(".State.ExitCode") == "0"
            assert c.events("shutdown_complete")[-1]["reason"] == "SIGTERM"
            wait_until(lambda: not any(map(is_alive, family)), 2, "the end of all processes")
        finally:
            run("down", "--volumes")
