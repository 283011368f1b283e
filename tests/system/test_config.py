"""servers.json: where it is found, what it may say, and how precisely a fault is told. Issue 2, item 8."""

import json
import os

import pytest

from harness import ROOT, clean_env, example, fake, servers
from mcp_client import call


def check(sluice, config, *args, env=None):
    """`sluice check`: (exit code, all its text)."""
    code, out, err = sluice.output("check", "--config", sluice.write(config), *args, env=env)
    return code, out + err


def one(**more):
    return {"mcpServers": {"ex": example(**more)}}


def top(**blocks):
    return {"mcpServers": {"ex": example()}, **blocks}


# faults: (configuration, what the text must name)
FAULTS = {
    "no JSON": ("{", ["line 1"]),
    "a trailing comma": ('{"mcpServers":{},}', ["line 1"]),
    "no object": ("[]", []),
    "a doubled server": ('{"mcpServers":{"a":{"command":"x"},"a":{"command":"y"}}}', ["a"]),
    "a server that is no object": ({"mcpServers": {"ex": "cmd"}}, ["mcpServers.ex"]),
    "neither command nor url": ({"mcpServers": {"ex": {}}}, ["mcpServers.ex", "command"]),
    "a command that is no text": ({"mcpServers": {"ex": {"command": 5}}}, ["mcpServers.ex.command"]),
    "an empty command": ({"mcpServers": {"ex": {"command": ""}}}, ["mcpServers.ex.command"]),
    "an argument that is no text": (one(args=["a", 5]), ["mcpServers.ex.args[1]"]),
    "args that are no array": (one(args="a"), ["mcpServers.ex.args"]),
    "env that is no text": (one(env={"A": ["b"]}), ["mcpServers.ex.env.A"]),
    "an env name with =": (one(env={"A=B": "x"}), ["mcpServers.ex.env"]),
    "a misspelt key": (one(requestTimeot="5s"), ["mcpServers.ex.requestTimeot", "requestTimeout"]),
    "a misspelt block": (top(lifecycl={}), ["lifecycl", "lifecycle"]),
    "a misspelt key of a block": (top(limits={"maxInFlght": 1}), ["limits.maxInFlght", "maxInFlight"]),
    "a name with a space": ({"mcpServers": {"a b": example()}}, ["a b"]),
    "a name with two underscores": ({"mcpServers": {"a__b": example()}}, ["a__b"]),
    "a name that is too long": ({"mcpServers": {"x" * 33: example()}}, ["x" * 33]),
    "an empty name": ({"mcpServers": {"": example()}}, ["mcpServers"]),
    "a name with a dot": ({"mcpServers": {"a.b": example()}}, ["a.b"]),
    "a duration that is none": (one(requestTimeout="soon"), ["mcpServers.ex.requestTimeout"]),
    "a duration with a strange unit": (one(requestTimeout="5d"), ["mcpServers.ex.requestTimeout"]),
    "a negative duration": (one(requestTimeout="-5s"), ["mcpServers.ex.requestTimeout"]),
    "an endless duration": (one(requestTimeout="99999999999999999999h"), ["mcpServers.ex.requestTimeout"]),
    "a startup that is none": (one(startup="soonish"), ["mcpServers.ex.startup", "eager"]),
    "an idle time that is none": (one(idleTimeout="sometimes"), ["mcpServers.ex.idleTimeout"]),
    "a disabled that is no boolean": (one(disabled="yes"), ["mcpServers.ex.disabled"]),
    "an unset variable": (one(env={"A": "${NOT_SET_ANYWHERE}"}), ["mcpServers.ex.env.A", "NOT_SET_ANYWHERE"]),
    "an unset variable in args": (one(args=["a", "${env:NOT_SET_ANYWHERE}"]), ["mcpServers.ex.args[1]", "NOT_SET_ANYWHERE"]),
    "a file that is not there": (one(env={"A": "${file:/does/not/exist}"}), ["mcpServers.ex.env.A", "/does/not/exist"]),
    "a variable without an end": (one(env={"A": "${X"}), ["mcpServers.ex.env.A"]),
    "a number out of range": (top(limits={"maxInFlight": 0}), ["limits.maxInFlight"]),
    "a negative number": (top(limits={"maxConnections": -1}), ["limits.maxConnections"]),
    "a number that is a text": (top(limits={"maxDepth": "8"}), ["limits.maxDepth"]),
    "a fraction": (top(limits={"maxDepth": 8.5}), ["limits.maxDepth"]),
    "a namespace that is none": (top(namespace="sometimes"), ["namespace", "always"]),
    "a readiness that is none": (top(lifecycle={"readiness": {"onRequiredLoss": "panic"}}), ["lifecycle.readiness.onRequiredLoss", "stay"]),
    "a key inside lameDuck": (top(lifecycle={"lameDuck": {"mim": "1s"}}), ["lifecycle.lameDuck.mim", "min"]),
    "a stop that is no object": (one(stop="2s"), ["mcpServers.ex.stop"]),
    "hosts that are no array": (top(http={"allowedHosts": "a"}), ["http.allowedHosts"]),
    "a glob that is no text": (one(include=[5]), ["mcpServers.ex.include[0]"]),
    "a session key without an id": (top(session={"keys": [{"secret": "x"}]}), ["session.keys[0]"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_78_and_told_with_its_path(sluice, name):
    config, parts = FAULTS[name]
    code, text = check(sluice, config)
    assert code == 78
    for part in parts:
        assert part in text


def test_serve_refuses_what_check_refuses(sluice):
    code, out, err = sluice.output("serve", "--config", sluice.write(FAULTS["a misspelt key"][0]))
    assert code == 78 and "requestTimeot" in err and out == ""


def test_all_faults_are_told_at_once(sluice):
    code, text = check(sluice, {"mcpServers": {"a": {"command": 5}, "b": {"command": "x", "requestTimeout": "never"}}, "limit": {}})
    assert code == 78 and all(part in text for part in ("mcpServers.a.command", "mcpServers.b.requestTimeout", "limit"))


# features of later issues: a clear error, never silence
LATER = {
    "a tool ACL": one(toolAcl={"x": ["y"]}),
    "server authentication": top(serverAuth={"type": "bearer"}),
    "audit": top(audit={"path": "/tmp/x"}),
    "telemetry": top(telemetry={"endpoint": "x"}),
}


@pytest.mark.parametrize("name", LATER)
def test_what_is_not_there_yet_is_told_and_never_ignored(sluice, name):
    code, text = check(sluice, LATER[name])
    if code == 0:
        pytest.skip("it is there by now")
    assert code == 78 and text.strip()


# what is fine


FINE = {
    "the least": {"mcpServers": {"a": {"command": "/bin/true"}}},
    "the key of VS Code": {"servers": {"a": {"type": "stdio", "command": "/bin/true"}}, "inputs": []},
    "no servers at all": {"mcpServers": {}},
    "type stdio": one(type="stdio"),
    "keys of known clients": one(alwaysAllow=["x"], autoApprove=[], timeout=60),
    "snake case": one(idle_timeout="5m"),
    "durations of every kind": {
        "mcpServers": {
            n: example(requestTimeout=d) for n, d in (("a", "250ms"), ("b", "5s"), ("c", "2m"), ("d", "1h"), ("e", 30), ("f", "30"))
        }
    },
    "every lifecycle key": top(
        lifecycle={
            "gracePeriod": "45s",
            "preStop": "5s",
            "lameDuck": {"min": "1s", "quiet": "1s", "max": "2s"},
            "readyWhileDraining": True,
            "readiness": {"onRequiredLoss": "fail"},
            "margin": "1s",
            "startDeadline": "2m",
            "strictExit": True,
            "terminationLog": "/tmp/never-written",
        }
    ),
    "every http key": top(
        http={
            "allowedHosts": ["a"],
            "allowedOrigins": ["https://a"],
            "basePath": "/x",
            "maxHeaderBytes": 8192,
            "maxBodyBytes": 1000000,
            "headerTimeout": "1s",
            "bodyTimeout": "1s",
            "idleTimeout": "1s",
            "writeTimeout": "1s",
        }
    ),
    "every limit": top(
        limits={
            "maxConnections": 100,
            "maxInFlight": 100,
            "maxInFlightPerServer": 10,
            "maxInFlightPerSession": 10,
            "maxMessageBytes": 1000000,
            "maxBufferedBytes": 10000000,
            "maxDepth": 64,
            "pageItems": 10,
        }
    ),
    "comments and UTF-8": '// a line\n{"mcpServers":{/* between */"a":{"command":"/bin/true","args":["ünï","// no comment","/* nor this */"]}}}',
    "a byte order mark": '\ufeff{"mcpServers":{"a":{"command":"/bin/true"}}}',
    "names": {"mcpServers": {n: example() for n in ("a", "A-b", "x" * 32, "under_score", "9")}},
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_right_is_0(sluice, name):
    code, text = check(sluice, FINE[name])
    assert code == 0, text


def test_check_prints_the_shutdown_plan(sluice):
    code, text = check(sluice, top(lifecycle={}), "--grace-period", "40s")
    assert code == 0
    for word in ("lame", "drain", "SIGKILL", "cut"):
        assert word.lower() in text.lower()
    assert "40" in text


def test_check_starts_nothing(sluice, tmp_path):
    record = tmp_path / "record"
    code, _ = check(sluice, servers(f=fake(record=str(record))))
    assert code == 0 and not record.exists()


def test_a_warning_is_no_error(sluice):
    code, text = check(sluice, top(lifecycle={"gracePeriod": "5s", "lameDuck": {"min": "60s", "max": "120s"}}))
    assert code == 0 and text.strip()


# variables


def test_variables_are_put_into_string_values_after_parsing(sluice, tmp_path):
    (tmp_path / "secret").write_text("from a file")
    env = clean_env(QUOTED='a"b\\c', EMPTY="", PLAIN="plain")
    values = {
        "A": "${PLAIN}",
        "B": "${env:PLAIN}-${PLAIN}",
        "C": "${NOPE:-fall back}",
        "D": "${file:%s}" % (tmp_path / "secret"),
        "E": "$${PLAIN}",
        "F": "${QUOTED}",
        "G": "x${EMPTY}y",
        "H": "$PLAIN $ {PLAIN}",
        "I": "${NOPE:-}",
    }
    s = sluice.http(servers(f=fake(more={"env": values})), env=env)
    with s.client() as c:
        got = json.loads(c.text("f__env"))
    wanted = ["plain", "plain-plain", "fall back", "from a file", "${PLAIN}", 'a"b\\c', "xy", "$PLAIN $ {PLAIN}", ""]
    assert [got[k] for k in values] == wanted


def test_variables_work_in_commands_and_arguments(sluice):
    entry = example()
    env = clean_env(THE_COMMAND=entry["command"], COUNT="3")
    config = servers(ex={"command": "${THE_COMMAND}", "args": ["--tools", "${COUNT}"]})
    s = sluice.http(config, env=env)
    with s.client() as c:
        assert "ex__extra_3" in c.tool_names() and "ex__extra_4" not in c.tool_names()


def test_a_secret_is_never_shown(sluice):
    env = clean_env(TOKEN="hunter2hunter2")
    code, out, err = sluice.output("check", "--config", sluice.write(one(env={"T": "${TOKEN}"})), env=env)
    assert code == 0 and "hunter2" not in out + err
    s = sluice.http(servers(ex=example(env={"T": "${TOKEN}"})), "--log-level", "trace", env=env)
    with s.client() as c:
        c.tool_names()
    s.stop()
    assert "hunter2" not in "\n".join(s.log.lines)


# where it is found


def listed(sluice, **env):
    base = clean_env()
    base.pop("HOME", None)
    code, out, err = sluice.output("list", env={**base, **env})
    return code, out + err


def named(name):
    return json.dumps({"mcpServers": {name: example("--tools-only")}})


def test_the_places_are_looked_at_in_their_order(sluice, tmp_path):
    home, directory = tmp_path / "home", tmp_path / "dir"
    (home / ".config" / "mcp").mkdir(parents=True)
    directory.mkdir()
    (home / ".config" / "mcp" / "servers.json").write_text(named("in-home"))
    (directory / "servers.json").write_text(named("in-dir"))
    (tmp_path / "by-path.json").write_text(named("by-path"))
    env = {"HOME": str(home)}
    for key, value, name in (
        (None, None, "in-home"),
        ("MCP_CONFIG_DIR", str(directory), "in-dir"),
        ("MCP_CONFIG_PATH", str(tmp_path / "by-path.json"), "by-path"),
        ("MCP_SERVERS_CONFIG", named("inline"), "inline"),
    ):
        if key:
            env[key] = value
        code, text = listed(sluice, **env)
        assert code == 0 and f"{name}__echo" in text
    (tmp_path / "flag.json").write_text(named("by-flag"))
    code, out, err = sluice.output("list", "--config", tmp_path / "flag.json", env=clean_env(**env))
    assert code == 0 and "by-flag__echo" in out


def test_check_shows_of_a_server_over_http_no_more_than_where_it_is(sluice):
    config = {"mcpServers": {"a": {"url": "https://mcp.example.com:8443/mcp/s3cret?key=s3cret"},
                             "b": {"url": "http://mcp.example.com"}, "c": {"url": "http://[::1]?key=s3cret"}}}
    code, out = check(sluice, config)
    assert code == 0
    rows = {line.split()[0]: line.split()[-1] for line in out.splitlines() if line.startswith("  ") and line.split()}
    assert (rows["a"], rows["b"], rows["c"]) == ("https://mcp.example.com:8443", "http://mcp.example.com", "http://[::1]")
    assert "s3cret" not in out


def test_no_configuration_is_78_with_the_places_looked_at(sluice, tmp_path):
    code, text = listed(sluice, HOME=str(tmp_path))
    assert code == 78
    for place in ("--config", "MCP_SERVERS_CONFIG", "MCP_CONFIG_PATH", "MCP_CONFIG_DIR", ".config/mcp/servers.json"):
        assert place in text


@pytest.mark.parametrize("what", ["missing", "directory", "unreadable"])
def test_a_file_that_cannot_be_read_is_78_and_named(sluice, tmp_path, what):
    path = tmp_path / "it.json"
    if what == "directory":
        path.mkdir()
    elif what == "unreadable":
        if os.geteuid() == 0:
            pytest.skip("root reads everything")
        path.write_text("{}")
        path.chmod(0)
    code, out, err = sluice.output("check", "--config", path)
    assert code == 78 and str(path) in out + err


# environment and flags


def test_a_flag_wins_over_the_environment_and_that_over_the_file(sluice):
    config = top(lifecycle={"gracePeriod": "41s"})
    assert "41" in check(sluice, config)[1]
    assert "42" in check(sluice, config, env=clean_env(MCP_GRACE_PERIOD="42s"))[1]
    assert "43" in check(sluice, config, "--grace-period", "43s", env=clean_env(MCP_GRACE_PERIOD="42s"))[1]


def test_mcp_timeout_is_the_default_request_timeout(sluice):
    s = sluice.http(servers(ex=example(), patient=example(requestTimeout="5s")), env=clean_env(MCP_TIMEOUT="300ms"))
    with s.client() as c:
        assert c.post(call(1, "ex__sleep", {"ms": 900})).json()["error"]["data"]["reason"] == "backend_timeout"
        assert c.text("patient__sleep", {"ms": 900}) == "slept"


@pytest.mark.parametrize(
    "name,value", [("MCP_TIMEOUT", "soon"), ("MCP_GRACE_PERIOD", "-1"), ("MCP_LOG_LEVEL", "loud"), ("MCP_LOG_FORMAT", "xml")]
)
def test_a_bad_environment_is_told(sluice, name, value):
    code, out, err = sluice.output("check", "--config", sluice.write(top()), env=clean_env(**{name: value}))
    assert code in (64, 78) and name in out + err


# files that real clients write

CLIENT_FILES = sorted((ROOT / "tests" / "configs").glob("*.json"))


@pytest.mark.parametrize("path", CLIENT_FILES, ids=lambda path: path.stem)
def test_a_file_of_a_real_client_loads(sluice, path):
    env = clean_env(API_KEY="k", HOME="/home/somebody")
    code, out, err = sluice.output("check", "--config", path, env=env)
    assert code == 0, out + err
