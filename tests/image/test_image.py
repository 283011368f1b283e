"""The image of Sluice: what is in it, what it says of itself, and how it serves and ends."""

import json
import os
import re
import stat

from certificates import Authority
from harness import ROOT, example, servers, wait_until
from mcp_client import McpHttp
from podman import AUTHORITIES, MAIN, family_of, probe

STATIC_EXAMPLE = os.environ["STATIC_EXAMPLE_SERVER"]
MOST_BYTES = 12_000_000
BARE = ["--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
DEFAULTS = ["serve", "--http", ":8080", "--admin", ":9902", "--insecure"]
FAST = {"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}


def config_of(**entries):
    return servers(lifecycle=FAST, **entries)


def configured(directory, config, *more):
    """Options by which a container finds a configuration where it looks for it, and a program that is one file."""
    directory.chmod(0o755)
    folder = directory / "config"
    folder.mkdir(exist_ok=True)
    (folder / "servers.json").write_text(json.dumps(config))
    return [f"--volume={folder}:/etc/sluice:ro", f"--volume={STATIC_EXAMPLE}:/usr/local/bin/example-server:ro", *BARE, *more]


EXAMPLE = {"command": "example-server", "startup": "required"}


def test_nothing_is_in_it_but_the_program_the_authorities_and_the_licences(engine, image):
    files = engine.files(image)
    docs = "/usr/share/doc/sluice/"
    assert set(files) == {
        "/usr/local/bin/sluice",
        AUTHORITIES,
        docs + "LICENSE",
        *(docs + f"copyright.{name}" for name in ("libc6-dev", "libssl-dev", "libuv1-dev", "libyaml-dev")),
    }
    assert all(info.st_uid == 0 and not info.st_mode & 0o022 for info in files.values())
    assert all(bool(info.st_mode & stat.S_IXUSR) == path.endswith("bin/sluice") for path, info in files.items())
    assert files[AUTHORITIES].st_size > 100_000
    assert engine.inspect(image)["Size"] < MOST_BYTES


def test_it_says_what_it_is_and_how_it_is_run(engine, image):
    version = re.search(r"^ *version: '(.*)'", (ROOT / "meson.build").read_text(), re.M)[1]
    said = engine.inspect(image)
    config, labels = said["Config"], said["Config"]["Labels"]
    assert (config["User"], config["StopSignal"]) == ("65532:65532", "SIGTERM")
    assert config["Entrypoint"] == ["sluice"] and config["Cmd"] == DEFAULTS
    assert set(config["ExposedPorts"]) == {"8080/tcp", "9902/tcp"}
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.title"] == "Sluice" and labels["org.opencontainers.image.licenses"]
    assert re.fullmatch(r"[0-9a-f]{40}|unknown", labels["org.opencontainers.image.revision"])
    assert said["Healthcheck"]["Test"] == ["CMD", "sluice", "healthcheck", "http://127.0.0.1:9902/health"]


def test_there_is_no_shell(containers, image):
    done = containers.run("podman", "run", "--rm", "--network", "host", "--entrypoint", "sh", image, codes=(127,))
    assert "not found" in done.stderr


def test_commands_run_in_it(containers, image):
    version = containers.podman("run", "--rm", "--network", "host", image, "version")
    assert version.startswith("sluice ")
    done = containers.run("podman", "run", "--rm", "--network", "host", image, codes=(78,))
    assert "/etc/sluice/servers.json" in done.stderr  # where it looked


def test_it_serves_with_no_rights_and_nothing_to_write_to(containers, image, tmp_path):
    c = containers.start(image, options=configured(tmp_path, config_of(ex=EXAMPLE))).wait_ready()
    assert c.status("Uid")[0] == c.status("Gid")[0] == "65532" and c.status("Groups") in ([], ["65532"])
    assert int(c.status("CapBnd")[0], 16) == int(c.status("CapEff")[0], 16) == 0
    assert c.status("Seccomp") == ["2"] and c.status("NoNewPrivs") == ["1"] and c.status("NSpid")[-1] == "1"
    root = next(line for line in open(f"/proc/{c.pid}/mounts") if line.split()[1] == "/")
    assert root.split()[3].split(",")[0] == "ro"
    with McpHttp(MAIN) as client:
        client.initialize()
        assert client.text("ex__echo", {"text": "bare"}) == "bare"
    assert containers.podman("exec", c.name, "sluice", "status", "--json")
    assert c.events("listening"), "logs are JSON"
    assert c.stop()[0] == 0


def test_sigterm_ends_it_with_0_within_the_grace_period_and_says_how(containers, image, tmp_path):
    words = tmp_path / "termination-log"
    words.touch(0o666)
    words.chmod(0o666)
    options = [f"--volume={words}:/dev/termination-log", "--env", "MCP_GRACE_PERIOD=12s"]
    c = containers.start(image, options=configured(tmp_path, config_of(ex=EXAMPLE), *options)).wait_ready()
    family = family_of(c.pid)
    assert len(family) == 2
    code, seconds = c.stop(12)
    assert code == 0 and seconds < 12
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family), 2, "the end of all processes")
    last = c.events("shutdown_complete")[-1]
    assert (last["reason"], last["exit_code"]) == ("SIGTERM", 0) and 0 < last["budget_ms"] < 12000
    assert (last["backends_stopped"], last["backends_killed"]) == (1, 0)
    written = json.loads(words.read_text())
    assert written["reason"] == "SIGTERM" and written["backends_stopped"] == 1


def test_its_health_is_told_to_the_engine(containers, image, tmp_path):
    late = {"command": "example-server", "args": ["--slow-start", "2000"], "startup": "required"}
    c = containers.start(image, options=configured(tmp_path, config_of(ex=late)))
    wait_until(lambda: probe("/livez") == 200, 10, "the admin port")
    assert not c.is_healthy()
    c.wait_ready()
    assert c.is_healthy()


def test_a_changed_configuration_arrives(containers, image, tmp_path):
    c = containers.start(image, options=configured(tmp_path, config_of(ex=EXAMPLE))).wait_ready()
    (tmp_path / "config" / "servers.json").write_text(json.dumps(config_of(ex=EXAMPLE, more=EXAMPLE)))
    wait_until(lambda: "more" in containers.podman("exec", c.name, "sluice", "status", "--json"), 10, "the new server")


def test_tls_is_verified_with_the_authorities_of_the_image(containers, image, sluice, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    tls = {"cert": str(pair.cert), "key": str(pair.key)}
    sluice.http(servers(ex=example(), http={"tls": tls}), at="127.0.0.1:8443", ready=False)
    config = json.dumps({"mcpServers": {"far": {"url": "https://localhost:8443/mcp"}}})
    base = ["podman", "run", "--rm", "--network", "host", "--env", f"MCP_SERVERS_CONFIG={config}"]

    refused = containers.run(*base, image, "list", "--json", codes=(69,))
    assert "certificate" in refused.stderr

    bundle = tmp_path / "bundle.pem"
    bundle.write_text(authority.cert.read_text())
    tmp_path.chmod(0o755)
    for options in ([f"--volume={bundle}:{AUTHORITIES}:ro"], [f"--volume={bundle}:/own.pem:ro", "--env", "SSL_CERT_FILE=/own.pem"]):
        listed = containers.run(*base, *options, image, "list", "--json")
        assert "far__ex__echo" in listed.stdout
