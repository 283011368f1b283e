"""list, call, status and healthcheck as a user and a script meet them: what goes where, what is started, and the end."""

import json
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import BINARY, PATIENCE, clean_env, example, fake, servers, wait_until
from terminal import Terminal

STUBBORN = {"ignore_eof": True, "ignore_term": True}


def on_terminal(sluice, *args, columns=100, timeout=10.0, **env):
    t = Terminal([BINARY, *args], columns, cwd=sluice.directory, env=clean_env(**{"TERM": "xterm", **env}))
    return t.finish(timeout * PATIENCE)


def tool(name, description="", properties=(), required=()):
    schema = {"type": "object", "properties": {p: {} for p in properties}, "required": list(required)}
    return {"name": name, "description": description, "inputSchema": schema}


def recorded(path, what):
    return path.exists() and what in path.read_text()


def dead(shape):
    return {"dies": {"command": "/bin/sh", "args": ["-c", "exit 3"]}, "missing": {"command": "/does/not/exist"}}[shape]


# list


def test_all_pages_are_listed_and_items_are_those_that_clients_get(sluice):
    config = servers(ex=example("--tools", 7, "--page", 3), f=fake(prompts=["p"]), limits={"pageItems": 2})
    code, out, err = sluice.output("list", "--config", sluice.write(config))
    listing = json.loads(out)
    with sluice.http(config).client() as c:
        served = {kind: c.list_all(f"{kind}/list", kind) for kind in ("tools", "prompts")}
    assert code == 0 and err == ""
    assert list(listing) == ["tools", "resources", "resourceTemplates", "prompts"]
    assert listing["tools"] == served["tools"] and listing["prompts"] == served["prompts"]


def test_only_the_server_that_was_asked_for_is_started(sluice, tmp_path):
    record = tmp_path / "record"
    config = sluice.write(servers(ex=example(), f=fake(record=str(record))))
    assert sluice.output("list", "ex", "--config", config)[0] == 0
    assert sluice.output("call", "ex__pid", "--config", config)[0] == 0
    assert not record.exists()


def test_a_lazy_server_is_listed(sluice):
    code, out, err = sluice.output("list", "--config", sluice.write(servers(ex=example(startup="lazy"))))
    assert code == 0 and "ex__echo" in out


def test_list_waits_for_a_slow_server(sluice):
    config = sluice.write(servers(f=fake(init_delay=5.5), ex=example()))
    code, out, err = sluice.output("list", "--config", config, timeout=15)
    assert code == 0 and "f__echo" in out and "ex__echo" in out and err == ""


def test_a_server_that_is_down_is_named_with_its_reason_and_the_others_are_listed(sluice):
    config = sluice.write(servers(missing=dead("missing"), dies=dead("dies"), ex=example()))
    code, out, err = sluice.output("list", "--config", config)
    assert code == 0 and "ex__echo" in out
    assert "missing cannot be reached" in err and "/does/not/exist" in err
    assert "dies cannot be reached: exited with code 3" in err


@pytest.mark.parametrize("args,entries", [(["dies"], {"ex": example(), "dies": dead("dies")}), ([], {"dies": dead("dies")})])
def test_list_is_69_when_nobody_that_was_asked_for_can_be_reached(sluice, args, entries):
    code, out, err = sluice.output("list", *args, "--config", sluice.write(servers(**entries)))
    assert code == 69 and out == "" and "dies" in err


def test_a_misspelt_server_gets_a_suggestion(sluice):
    code, out, err = sluice.output("list", "githbu", "--config", sluice.write(servers(github=example())))
    assert code == 64 and out == "" and '"github"' in err


def test_a_name_beyond_64_characters_is_told_and_marked(sluice):
    config = sluice.write(servers(f=fake(tools=["x" * 62])))
    code, out, err = sluice.output("list", "--config", config)
    assert code == 0 and "64 characters" in err and json.loads(out)
    code, shown = on_terminal(sluice, "list", "--config", config)
    assert code == 0 and "x" * 62 in shown and " !" in shown


def test_the_table_fits_the_terminal_and_marks_required_arguments(sluice):
    tools = [tool("copy", "Copies a file " * 20, ("from", "to", "mode"), ("from", "to")), tool("日本", "An odd name")]
    config = sluice.write(servers(f=fake(tools=tools)))
    for columns in (60, 80, 200):
        code, shown = on_terminal(sluice, "list", "--config", config, columns=columns, NO_COLOR="1")
        assert code == 0 and "from* to* mode" in shown and "Copies a file" in shown and "\x1b" not in shown
        assert all(len(line) <= columns for line in shown.splitlines())


def test_a_terminal_is_not_driven_by_what_servers_say(sluice):
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    config = sluice.write(servers(f=fake(tools=[tool("t", evil, (evil,))])))
    code, shown = on_terminal(sluice, "list", "--config", config)
    assert code == 0 and "owned" in shown and "\x07" not in shown and "\u202e" not in shown
    assert all(re.fullmatch(r"\x1b\[[0-9;]*m", e) for e in re.findall(r"\x1b.[0-9;]*.", shown))
    code, shown = on_terminal(sluice, "call", "f__echo", json.dumps({"text": evil}), "--config", config, NO_COLOR="1")
    assert code == 0 and "\x1b" not in shown and "owned" in shown


def test_colour_is_on_a_terminal_only_and_can_be_turned_off(sluice):
    config = sluice.write(servers(ex=example()))
    assert "\x1b[" in on_terminal(sluice, "list", "--config", config)[1]
    assert "\x1b[" not in on_terminal(sluice, "list", "--config", config, NO_COLOR="1")[1]
    assert "\x1b[" not in on_terminal(sluice, "list", "--json", "--config", config)[1]


# call: which tool


def test_a_bare_name_will_do_if_one_server_has_it(sluice):
    config = sluice.write(servers(ex=example(), f=fake(tools=["only"])))
    code, out, err = sluice.output("call", "only", '{"text":"found"}', "--config", config)
    assert code == 0 and "found" in out and err == ""


def test_a_bare_name_that_several_have_is_refused_with_their_names(sluice):
    config = sluice.write(servers(ex=example(), f=fake()))
    code, out, err = sluice.output("call", "echo", "{}", "--config", config)
    assert code == 64 and out == "" and "ex__echo" in err and "f__echo" in err


@pytest.mark.parametrize("name", ["ehco", "ex__ecoh", "exx__echo", "ex_echo"])
def test_a_misspelt_tool_gets_a_suggestion(sluice, name):
    config = sluice.write(servers(ex=example()))
    code, out, err = sluice.output("call", name, "{}", "--config", config)
    assert code == 1 and out == "" and '"ex__echo"' in err


def test_names_without_a_prefix_are_found_too(sluice):
    config = sluice.write(servers(ex=example(), f=fake(tools=["only"]), namespace="never"))
    assert sluice.output("call", "only", "{}", "--config", config)[0] == 0
    assert sluice.output("call", "ex__pid", "{}", "--config", config)[0] == 0


def test_an_excluded_tool_is_unknown(sluice):
    config = sluice.write(servers(ex=example(exclude=["pid"])))
    code, out, err = sluice.output("call", "ex__pid", "{}", "--config", config)
    assert code == 1 and "there is no tool" in err


# call: what goes in and comes out


def test_the_result_is_raw_when_piped(sluice):
    config = sluice.write(servers(f=fake()))
    result = '{"content":[{"type":"text","text":"\\u0041"}],"n":1.0,"big":12345678901234567890,"x" : [ ]}'
    steps = {"steps": [{"line": '{"jsonrpc":"2.0","id":$ID,"result":' + result + "}"}]}
    code, out, err = sluice.output("call", "f__script", json.dumps(steps), "--config", config)
    assert (code, out, err) == (0, result + "\n", "")


def test_arguments_reach_the_server_as_they_were_written(sluice):
    config = sluice.write(servers(ex=example()))
    arguments = '{"big":12345678901234567890,\n "one":1.0,\t"e":"\\u00e9"}'
    for args, stdin in (([arguments], None), ([], arguments + "\n")):
        code, out, err = sluice.output("call", "ex__mirror", *args, "--config", config, input=stdin)
        assert code == 0 and '"big":12345678901234567890' in out and '"one":1.0' in out and '"e":"\\u00e9"' in out


def test_arguments_that_are_no_json_are_refused_with_the_place(sluice):
    config = sluice.write(servers(ex=example()))
    for args, stdin in ((['{"a":\n nope}'], None), ([], '{"a":\n nope}')):
        code, out, err = sluice.output("call", "ex__echo", *args, "--config", config, input=stdin)
        assert code == 64 and out == "" and "line 2, column 3" in err


def test_too_much_on_stdin_is_refused(sluice):
    config = sluice.write(servers(ex=example(), http={"maxBodyBytes": 1024}))
    code, out, err = sluice.output("call", "ex__echo", "--config", config, input='{"text":"' + "x" * 5000 + '"}')
    assert code == 64 and "1024" in err


def test_a_big_result_arrives_whole(sluice):
    config = sluice.write(servers(ex=example()))
    code, out, err = sluice.output("call", "ex__big", '{"bytes":20000000}', "--config", config, timeout=30)
    assert code == 0 and len(json.loads(out)["content"][0]["text"]) == 20000000


def test_iserror_is_told_on_stderr_and_its_content_on_stdout(sluice):
    code, out, err = sluice.output("call", "ex__fail", "--config", sluice.write(servers(ex=example())))
    assert code == 1 and json.loads(out)["isError"] is True and "error" in err


def test_a_json_rpc_error_is_told_on_stderr_with_code_and_data(sluice):
    arguments = '{"message":"as you\\nwish","code":-32099,"data":{"why":"so"}}'
    code, out, err = sluice.output("call", "ex__error", arguments, "--config", sluice.write(servers(ex=example())))
    assert code == 1 and out == "" and "as you wish" in err and "-32099" in err and '{"why":"so"}' in err


def test_a_server_that_dies_under_the_call_is_1_and_says_that_the_outcome_is_unknown(sluice):
    code, out, err = sluice.output("call", "ex__crash", "--config", sluice.write(servers(ex=example())))
    assert code == 1 and out == "" and "backend_exited" in err and "unknown" in err


def test_results_are_text_on_a_terminal(sluice):
    config = sluice.write(servers(ex=example()))
    code, shown = on_terminal(sluice, "call", "ex__odd", "--config", config)
    assert code == 0 and '  "big": 12345678901234567890123456789,\n' in shown
    code, shown = on_terminal(sluice, "call", "ex__echo", '{"text":"two\\nlines"}', "--config", config)
    assert (code, shown) == (0, "two\nlines\n")
    code, shown = on_terminal(sluice, "call", "ex__echo", '{"text":"two\\nlines"}', "--json", "--config", config)
    assert code == 0 and json.loads(shown)["content"][0]["text"] == "two\nlines"


# while it lasts


def test_long_work_spins_on_a_terminal_shows_progress_and_leaves_no_trace(sluice):
    config = sluice.write(servers(ex=example()))
    code, shown = on_terminal(sluice, "call", "ex__progress", '{"steps":4,"ms":250}', "--config", config)
    assert code == 0 and re.search(r"\r\x1b\[K[-|/\\] ex__progress +[234]/4 working\r", shown)
    assert shown.endswith("\r\x1b[Kdone\n")


def test_quick_work_does_not_spin(sluice):
    code, shown = on_terminal(sluice, "call", "ex__echo", '{"text":"x"}', "--config", sluice.write(servers(ex=example())))
    assert (code, shown) == (0, "x\n")


def test_a_dumb_terminal_gets_no_spinner(sluice):
    config = sluice.write(servers(ex=example()))
    code, shown = on_terminal(sluice, "call", "ex__sleep", '{"ms":700}', "--config", config, TERM="dumb")
    assert (code, shown) == (0, "slept\n")


def test_log_messages_are_shown_on_a_terminal_only(sluice):
    args = ("call", "ex__log", '{"level":"warning","text":"take care"}', "--config", sluice.write(servers(ex=example())))
    code, shown = on_terminal(sluice, *args)
    assert code == 0 and "warning: take care" in shown
    code, out, err = sluice.output(*args)
    assert code == 0 and err == ""


def test_the_log_is_quiet_unless_it_is_asked_for(sluice):
    config = sluice.write(servers(ex=example(), top={"log": {"level": "debug"}}))
    assert sluice.output("call", "ex__pid", "--config", config)[2] == ""
    assert "backend_ready" in sluice.output("call", "ex__pid", "--config", config, "--log-level", "info")[2]
    env = clean_env(MCP_LOG_LEVEL="info", MCP_CONFIG_PATH=str(config))
    assert "backend_ready" in sluice.output("list", env=env)[2]


def test_a_wrong_configuration_is_78_with_its_faults(sluice):
    config = sluice.write('{"mcpServers":{"a":{"comand":"x"}}}')
    for args in (["list"], ["call", "a__b", "{}"]):
        code, out, err = sluice.output(*args, "--config", config)
        assert code == 78 and out == "" and "mcpServers.a.comand" in err and '"command"' in err


# the end


def test_timeout_cancels_and_is_the_only_limit(sluice, tmp_path):
    record = tmp_path / "record"
    config = sluice.write(servers(f=fake(record=str(record), more={"requestTimeout": "200ms"})))
    code, out, err = sluice.output("call", "f__sleep", '{"ms":60000}', "--timeout", "600ms", "--config", config)
    assert code == 1 and out == "" and "600ms" in err and recorded(record, "notifications/cancelled")
    code, out, err = sluice.output("call", "f__sleep", '{"ms":400}', "--timeout", "5s", "--config", config)
    assert code == 0 and "slept" in out


def test_a_server_that_is_not_ready_when_time_is_up_is_69(sluice):
    config = sluice.write(servers(f=fake(dumb=True)))
    code, out, err = sluice.output("call", "f__echo", "{}", "--timeout", "500ms", "--config", config)
    assert code == 69 and "f cannot be reached" in err and "500ms" in err


@pytest.mark.parametrize("args", [["list"], ["call", "f__echo", "{}"]], ids=" ".join)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_servers_start_is_1(sluice, tmp_path, args, number):
    record = tmp_path / "record"
    s = sluice.run(*args, "--config", sluice.write(servers(f=fake(dumb=True, record=str(record)))), json_log=False)
    s.expected_codes = {1}
    wait_until(lambda: recorded(record, "initialize"), what="the handshake")
    assert s.terminate(number, 5) == 1


def test_a_signal_while_stdin_is_read_is_1_and_nothing_was_started(sluice, tmp_path):
    record = tmp_path / "record"
    config = sluice.write(servers(f=fake(record=str(record))))
    s = sluice.run("call", "f__echo", "--config", config, stdin=subprocess.PIPE, json_log=False)
    s.expected_codes = {1}
    s.process.stdin.write(b'{"text":')
    s.process.stdin.flush()
    time.sleep(0.3)
    assert s.terminate(signal.SIGINT, 5) == 1 and not record.exists()


def test_ctrl_c_on_a_terminal_cancels_and_goes_down_the_ladder(sluice, tmp_path):
    record = tmp_path / "record"
    config = sluice.write(servers(f=fake(record=str(record), more={"stop": {"eof": "300ms", "term": "300ms"}}, **STUBBORN)))
    args = [BINARY, "call", "f__sleep", '{"ms":60000}', "--config", config]
    t = Terminal(args, cwd=sluice.directory, env=clean_env(TERM="xterm"))
    t.read(b"f__sleep", 10 * PATIENCE)
    t.press(b"\x03")
    code, shown = t.finish(5 * PATIENCE)
    assert code == 1 and "interrupted" in shown
    steps = [line.split(" ", 1)[1] for line in record.read_text().splitlines()]
    assert "notifications/cancelled" in steps[-3] and steps[-2:] == ["EOF", "TERM"]


def test_a_second_signal_makes_the_end_fast(sluice, tmp_path):
    record = tmp_path / "record"
    config = sluice.write(servers(f=fake(record=str(record), more={"stop": {"eof": "30s", "term": "30s"}}, **STUBBORN)))
    s = sluice.run("call", "f__sleep", '{"ms":60000}', "--config", config, json_log=False)
    s.expected_codes = {1}
    wait_until(lambda: recorded(record, '"sleep"'), what="the call")
    s.signal(signal.SIGINT)
    wait_until(lambda: recorded(record, "EOF"), what="the end of its stdin")
    assert s.terminate(signal.SIGINT, 3) == 1


def test_the_result_is_there_before_a_stubborn_server_is_gone(sluice):
    config = sluice.write(servers(f=fake(more={"stop": {"eof": "1s", "term": "1s"}}, **STUBBORN)))
    s = sluice.run("call", "f__echo", '{"text":"at once"}', "--config", config, json_log=False)
    began = time.monotonic()
    assert b"at once" in s.process.stdout.readline()
    assert time.monotonic() - began < 1.5 * PATIENCE and s.process.poll() is None
    assert s.wait(5) == 0


def test_orphans_of_a_server_are_swept(sluice):
    config = sluice.write(servers(f=fake()))
    s = sluice.run("call", "f__script", '{"steps":[{"fork":2},{"answer":"done"}]}', "--config", config, json_log=False)
    assert s.wait(10) == 0 and s.left_behind() == []


def test_a_reader_that_is_gone_does_no_harm(sluice):
    config = sluice.write(servers(ex=example()))
    s = sluice.run("call", "ex__big", '{"bytes":5000000}', "--config", config, json_log=False)
    s.process.stdout.read(10)
    s.process.stdout.close()
    assert s.wait(5) == 0


def test_a_reader_that_stalls_keeps_the_result_but_not_the_servers(sluice):
    config = sluice.write(servers(ex=example()))
    s = sluice.run("call", "ex__big", '{"bytes":5000000}', "--config", config, json_log=False)
    s.expected_codes = {1}
    s.process.stdout.read(10)
    wait_until(lambda: not children(s.pid), what="the end of the server")
    assert s.process.poll() is None
    assert s.terminate(signal.SIGTERM, 3) == 1


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return f.read().split()


def test_stdout_may_be_a_file(sluice, tmp_path):
    config = sluice.write(servers(ex=example()))
    with open(tmp_path / "out", "wb") as out:
        s = sluice.run("call", "ex__echo", '{"text":"to a file"}', "--config", config, stdout=out, json_log=False)
        assert s.wait() == 0
    assert "to a file" in (tmp_path / "out").read_text()


# status and healthcheck


def serve_once(answer, seconds=0.0):
    """A server that gives that answer to one connection; (address, thread)."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        connection, _ = listener.accept()
        with listener, connection:
            connection.recv(65536)
            connection.sendall(answer)
            time.sleep(seconds)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return "127.0.0.1:%d" % listener.getsockname()[1], thread


def http_answer(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


STATUS = {
    "version": "1.2.3",
    "status": "degraded",
    "phase": "ready\x1b[2J",
    "sessions": 3,
    "in_flight": 1,
    "calls": {"accepted": 12, "refused": 0},
    "backends": [
        {"name": "good", "state": "ready", "pid": 42, "in_flight": 1, "calls": 7, "starts": 1, "restarts": 0},
        {"name": "bad", "state": "backoff", "pid": 0, "in_flight": 0, "starts": 5, "restarts": 4, "last_error": "exited with code 1"},
    ],
    "calls_in_flight": [{"name": f"good__tool{n}\x1b[2J", "backend": "good", "client": "c", "age_ms": n} for n in range(20)],
}


def test_status_is_a_table_on_a_terminal(sluice):
    address, _ = serve_once(http_answer(json.dumps(STATUS)))
    code, shown = on_terminal(sluice, "status", "--admin", address, NO_COLOR="1")
    assert code == 0 and "\x1b" not in shown
    assert "degraded" in shown and "sessions 3, calls in flight 1, accepted 12" in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["good", "ready", "1", "7", "1", "0", "42", "-"] in rows
    assert ["bad", "backoff", "0", "-", "5", "4", "-", "exited", "with", "code", "1"] in rows
    assert sum(row[1:3] == ["good", "c"] for row in rows) == 10  # the oldest ones


def test_status_is_the_gateways_own_json_when_piped(sluice):
    body = json.dumps(STATUS) + "\n"
    address, _ = serve_once(http_answer(body))
    assert sluice.output("status", "--admin", address) == (0, body, "")


@pytest.mark.parametrize("answer", [b"", b"hello\r\n", http_answer("{}"), http_answer("no json"), http_answer("[]")])
def test_status_of_something_else_is_69(sluice, answer):
    address, _ = serve_once(answer)
    code, out, err = sluice.output("status", "--admin", address)
    assert code == 69 and out == "" and address in err


@pytest.mark.parametrize("admin", ["off", "nonsense", "127.0.0.1", "example.org:80"])
def test_status_wants_an_address(sluice, admin):
    code, out, err = sluice.output("status", "--admin", admin)
    assert code == 64 and out == "" and err.strip()


@pytest.mark.parametrize(
    "answer,code",
    [
        (http_answer("", "204 No Content"), 0),
        (http_answer("", "301 Moved"), 1),
        (http_answer("", "503 Service Unavailable"), 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 1),
        (b"", 1),
    ],
)
def test_healthcheck_goes_by_the_status(sluice, answer, code):
    address, _ = serve_once(answer)
    got, out, err = sluice.output("healthcheck", f"http://{address}/x")
    assert got == code and out == "" and bool(err.strip()) == (code != 0)


@pytest.mark.slow
def test_healthcheck_gives_up_after_5_seconds(sluice):
    address, _ = serve_once(b"HTTP/1.1 200", 8)
    began = time.monotonic()
    code, out, err = sluice.output("healthcheck", f"http://{address}/health")
    assert code == 1 and "in time" in err and 4.5 < time.monotonic() - began < 7 * PATIENCE
