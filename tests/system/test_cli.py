"""The commands beside `serve`: issue 2, item 7, and section 1 of the contract."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from harness import BINARY, PATIENCE, clean_env, example, fake, servers, wait_until
from mcp_client import call


@pytest.fixture
def config(sluice):
    return sluice.write(servers(ex=example("--tools", 2), f=fake(prompts=["p"], resources=["f://1"])))


def on_terminal(sluice, *args, timeout=10.0, keys=b"", when=None):
    """Runs a command with stdin, stdout and stderr on a terminal: (exit code, all that was shown)."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen(
        [str(BINARY), *map(str, args)], cwd=sluice.directory, env=clean_env(TERM="xterm"), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + timeout * PATIENCE
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.1)[0]:
            if p.poll() is not None:
                break
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(ours)
    code = p.wait(5 * PATIENCE)
    return code, shown.decode()


# what it is


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version_is_one_line_on_stdout(sluice, word):
    code, out, err = sluice.output(word)
    assert code == 0 and re.search(r"\d+\.\d+\.\d+", out) and out.count("\n") == 1 and err == ""


@pytest.mark.parametrize("word", ["help", "--help"])
def test_help_names_every_command(sluice, word):
    code, out, err = sluice.output(word)
    assert code == 0 and err == ""
    for command in ("serve", "check", "drain", "status", "list", "call", "healthcheck", "version"):
        assert command in out


WRONG = [
    [],
    ["no-such-command"],
    ["--no-such-flag"],
    ["serve", "--no-such-flag"],
    ["serve", "extra"],
    ["serve", "--config"],
    ["serve", "--log-level", "loud"],
    ["serve", "--log-format", "xml"],
    ["serve", "--grace-period", "soon"],
    ["serve", "--http", "no-port"],
    ["serve", "--http", "127.0.0.1:99999"],
    ["serve", "--http", "127.0.0.1:0", "--admin", "nonsense"],
    ["call"],
    ["healthcheck", "a", "b"],
    ["version", "extra"],
]


@pytest.mark.parametrize("args", WRONG, ids=" ".join)
def test_wrong_usage_is_64_with_a_sentence_on_stderr(sluice, config, args):
    code, out, err = sluice.output(*args, env=clean_env(MCP_CONFIG_PATH=str(config)))
    assert code == 64 and out == "" and err.strip()


def test_a_misspelt_command_gets_a_suggestion(sluice):
    code, out, err = sluice.output("serv")
    assert code == 64 and "serve" in err


# serve: addresses


def test_a_foreign_address_needs_insecure(sluice, config):
    code, out, err = sluice.output("serve", "--http", "0.0.0.0:0", "--config", config)
    assert code in (64, 69, 78) and "--insecure" in err
    s = sluice.http(servers(ex=example()), "--insecure", at="0.0.0.0:0", ready=False)
    s.address = "127.0.0.1:" + s.address.rpartition(":")[2]
    s.wait_ready()


def test_a_port_that_is_taken_is_69(sluice):
    s = sluice.http(servers(ex=example()))
    code, out, err = sluice.output("serve", "--http", s.address, "--admin", "off", "--config", sluice.write(servers(ex=example())))
    assert code == 69 and s.address.rpartition(":")[2] in err


def test_an_admin_port_that_was_asked_for_and_is_taken_is_69(sluice):
    s = sluice.http(servers(ex=example()))
    code, _, err = sluice.output(
        "serve", "--http", "127.0.0.1:0", "--admin", s.address, "--config", sluice.write(servers(ex=example()))
    )
    assert code == 69


def test_ipv6_loopback_will_do(sluice):
    s = sluice.http(servers(ex=example()), at="[::1]:0")
    with s.client() as c:
        assert c.text("ex__echo", {"text": "six"}) == "six"


def test_the_admin_port_answers_the_probes(sluice):
    s = sluice.http(servers(ex=example()), admin="127.0.0.1:0")
    for path in ("/livez", "/readyz", "/startupz", "/health"):
        assert s.get(path, admin=True).status == 200
    assert s.get("/mcp", admin=True).status in (404, 405)


def test_logs_are_text_or_json_and_level_can_be_chosen(sluice):
    s = sluice.run("serve", "--config", sluice.write(servers(ex=example())), "--log-format", "text", stdin=subprocess.DEVNULL, json_log=False)
    assert s.wait() == 0
    assert s.log.strange and not s.log.events
    q = sluice.run("serve", "--config", sluice.write(servers(ex=example())), "--log-level", "error", stdin=subprocess.DEVNULL, json_log=False)
    assert q.wait() == 0 and all("shutdown_complete" in line for line in q.log.lines), "the last line is always written"


def test_every_json_line_has_a_time_a_level_an_event_and_a_sentence(sluice):
    s = sluice.http(servers(ex=example()), "--log-level", "debug")
    s.stop()
    for e in s.log.events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)", e["ts"])
        assert e["level"] in ("error", "warn", "info", "debug", "trace")
        assert re.fullmatch(r"[a-z][a-z0-9_]*", e["event"])


# list


def test_list_gives_json_when_piped(sluice, config):
    code, out, err = sluice.output("list", "--config", config)
    assert code == 0
    listing = json.loads(out)
    names = json.dumps(listing)
    for name in ("ex__echo", "ex__extra_2", "f__script", "f__p", "f://1", "example://text", "example://item/{id}"):
        assert name in names


def test_list_of_one_server_leaves_out_the_others(sluice, config):
    code, out, err = sluice.output("list", "ex", "--config", config)
    assert code == 0 and "echo" in out and "f://1" not in out
    code, out, err = sluice.output("list", "nobody", "--config", config)
    assert code != 0 and "nobody" in err


def test_list_is_a_table_on_a_terminal_and_json_when_asked(sluice, config):
    code, shown = on_terminal(sluice, "list", "--config", config)
    assert code == 0 and "ex__echo" in shown and not shown.strip().startswith("{")
    code, shown = on_terminal(sluice, "list", "--json", "--config", config)
    assert code == 0 and '"ex__echo"' in shown


def test_colour_and_spinners_stay_off_pipes(sluice, config):
    for args in (("list",), ("call", "ex__sleep", '{"ms":400}')):
        code, out, err = sluice.output(*args, "--config", config)
        assert code == 0 and "\x1b" not in out + err


def test_list_shows_what_a_broken_server_says(sluice):
    config = sluice.write(servers(bad={"command": "/does/not/exist"}, ex=example()))
    code, out, err = sluice.output("list", "--config", config, timeout=15)
    assert "ex__echo" in out and "bad" in out + err


# call


def test_call_gives_the_result_and_0(sluice, config):
    code, out, err = sluice.output("call", "ex__add", '{"a":1,"b":2}', "--config", config)
    assert code == 0 and "3" in out


def test_call_gives_json_when_asked(sluice, config):
    code, out, err = sluice.output("call", "ex__odd", "--json", "--config", config)
    assert code == 0 and "12345678901234567890123456789" in out and json.loads(out)


def test_call_reads_its_arguments_from_stdin(sluice, config):
    code, out, err = sluice.output("call", "ex__echo", "--config", config, input='{"text":"from stdin"}')
    assert code == 0 and "from stdin" in out


def test_call_of_a_tool_without_arguments_needs_no_stdin(sluice, config):
    code, out, err = sluice.output("call", "ex__pid", "--config", config)
    assert code == 0 and re.search(r"\d+", out)


@pytest.mark.parametrize("tool,arguments", [("ex__fail", "{}"), ("ex__error", '{"message":"as you wish"}'), ("ex__no_such", "{}")])
def test_a_failed_call_is_1(sluice, config, tool, arguments):
    code, out, err = sluice.output("call", tool, arguments, "--config", config)
    assert code == 1 and (out + err).strip()


def test_a_server_that_cannot_be_reached_is_69(sluice):
    config = sluice.write(servers(bad={"command": "/does/not/exist"}))
    code, out, err = sluice.output("call", "bad__echo", "{}", "--config", config, timeout=20)
    assert code == 69 and "bad" in err


@pytest.mark.parametrize("arguments", ["{", "[1]", "5", '"x"', '{"a":1}{}'])
def test_arguments_that_are_no_json_object_are_64(sluice, config, arguments):
    code, out, err = sluice.output("call", "ex__echo", arguments, "--config", config)
    assert code == 64 and err.strip() and out == ""


def test_sigint_cancels_the_call_and_stops_the_servers(sluice, tmp_path):
    record = tmp_path / "record"
    config = sluice.write(servers(f=fake(record=str(record))))
    s = sluice.run("call", "f__sleep", '{"ms":60000}', "--config", config, json_log=False)
    s.expected_codes = {1}
    wait_until(lambda: record.exists() and '"sleep"' in record.read_text(), what="the call at the server")
    s.signal(signal.SIGINT)
    assert s.wait(5) == 1
    lines = record.read_text()
    assert "notifications/cancelled" in lines and lines.splitlines()[-1].endswith("EOF")


def test_a_call_on_a_terminal_is_pleasant(sluice, config):
    code, shown = on_terminal(sluice, "call", "ex__echo", '{"text":"hello there"}', "--config", config)
    assert code == 0 and "hello there" in shown


# healthcheck and status


def test_healthcheck_is_0_when_healthy(sluice):
    s = sluice.http(servers(ex=example()))
    assert sluice.output("healthcheck", f"http://{s.address}/health")[0] == 0
    assert sluice.output("healthcheck", f"http://{s.address}/readyz")[0] == 0
    assert sluice.output("healthcheck", f"http://{s.address}/nothing")[0] not in (0, 64)


def test_healthcheck_fails_when_nobody_is_there(sluice):
    s = sluice.http(servers(ex=example()))
    address = s.address
    s.stop()
    code, out, err = sluice.output("healthcheck", f"http://{address}/health", timeout=10)
    assert code not in (0, 64) and err.strip()


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/", "http://"])
def test_healthcheck_of_something_else_is_64(sluice, url):
    assert sluice.output("healthcheck", url)[0] == 64


def test_status_shows_phase_and_servers(sluice):
    s = sluice.http(servers(ex=example(), other=example()), admin="127.0.0.1:0")
    with s.client() as c:
        pending = c.in_background(call(1, "ex__sleep", {"ms": 1500}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        code, out, err = sluice.output("status", "--admin", s.admin, "--json")
        assert code == 0, err
        status = json.loads(out)
        assert status["phase"] == "ready" and "ex" in out and "other" in out
        code, out, err = sluice.output("status", "--admin", s.admin)
        assert code == 0 and "ready" in out
        pending.join()


def test_status_of_nobody_fails(sluice):
    s = sluice.http(servers(ex=example()), admin="127.0.0.1:0")
    admin = s.admin
    s.stop()
    code, out, err = sluice.output("status", "--admin", admin)
    assert code not in (0, 64) and err.strip()
