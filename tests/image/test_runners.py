"""The image with runners, and servers in it that are started by them, as a restricted pod would have it."""

from mcp_client import McpHttp
from podman import MAIN, family_of
from test_image import BARE, configured, config_of

MOST_BYTES = 700_000_000


def writable(directory):
    """What a pod mounts: an emptyDir, which anybody may write to."""
    directory.chmod(0o755)
    home = directory / "home"
    home.mkdir()
    home.chmod(0o777)
    return [f"--volume={home}:/home/sluice", "--tmpfs=/tmp"]


def test_it_has_the_runners_and_runs_sluice_as_the_small_one_does(containers, image, runners):
    small, large = containers.inspect(image), containers.inspect(runners)
    for key in ("User", "StopSignal", "Entrypoint", "Cmd", "ExposedPorts", "Healthcheck"):
        assert small["Config"].get(key) == large["Config"].get(key), key
    assert small["Healthcheck"] == large["Healthcheck"] and large["Size"] < MOST_BYTES
    names = "for p in sluice node npm npx python3 uv uvx curl; do command -v $p; done; id -un"
    found = containers.podman("run", "--rm", "--network", "host", "--entrypoint", "sh", runners, "-c", names).split()
    assert len(found) == 9 and found[-1] == "sluice" and "/usr/local/bin/sluice" in found


def test_what_runners_keep_goes_to_home_also_with_a_read_only_root(containers, runners, tmp_path):
    script = """set -e
        npm config get cache
        mkdir -p /tmp/hello && cd /tmp/hello
        printf '{"name":"hello","version":"1.0.0","bin":"hello.js"}' > package.json
        printf '#!/usr/bin/env node\\nconsole.log("from npx")' > hello.js && chmod +x hello.js
        cd / && npx --offline -y /tmp/hello
        uv cache dir
        cd /tmp && uv venv -q --offline own && own/bin/python -c 'print("from uv")'
        touch /usr/local/bin/x 2>&1 || true"""
    bare = [*BARE, *writable(tmp_path)]
    done = containers.run("podman", "run", "--rm", "--network", "host", *bare, "--entrypoint", "sh", runners, "-c", script)
    said = done.stdout.splitlines()
    assert said[:4] == ["/home/sluice/.npm", "from npx", "/home/sluice/.cache/uv", "from uv"], done.stdout + done.stderr
    assert "Read-only file system" in said[4]


def test_servers_in_javascript_and_python_serve_and_are_stopped(containers, servers_image, tmp_path):
    stop = {"stop": {"eof": "1s", "term": "1s"}, "startup": "required"}
    config = config_of(
        everything={"command": "mcp-server-everything", **stop},
        time={"command": "mcp-server-time", **stop},
        stubborn={"command": "sh", "args": ["-c", "trap '' TERM; example-server; sleep 1000 & sleep 1000"], **stop},
    )
    c = containers.start(servers_image, options=configured(tmp_path, config, *writable(tmp_path))).wait_ready()
    family = family_of(c.pid)
    assert len(family) >= 5
    with McpHttp(MAIN) as client:
        client.initialize()
        assert client.text("everything__echo", {"message": "hello"}) == "Echo: hello"
        assert "Europe/Rome" in client.text("time__get_current_time", {"timezone": "Europe/Rome"})
    code, seconds = c.stop()
    assert code == 0 and 2 <= seconds < 10
    last = c.events("shutdown_complete")[-1]
    assert (last["backends_stopped"], last["backends_killed"]) == (2, 1)
