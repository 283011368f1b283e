"""Command-line programs as servers: issue 4, item 2. fake_cli.py is the program; others are scripts of a test's own."""

import json
import pathlib
import shutil
import sys
import time
from signal import SIGTERM

import pytest

from harness import PATIENCE, fake, is_alive, servers, wait_until
from mcp_client import RpcError, call, text_of, unwrap
from reloading import Reloading, counts

FAKE_CLI = pathlib.Path(__file__).with_name("fake_cli.py")


def cli(**more):
    return {"command": sys.executable, "args": ["-S", "-E", str(FAKE_CLI)], "cli": True, **more}


def fakes(*only, **more):
    """Only the subcommands that a test needs: each help text is a start of Python."""
    return cli(cliOnly=list(only), cliDepth=3, **more)


def script(directory, text, name="tool", **more):
    """A server that is a shell script."""
    path = directory / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return {"command": str(path), "cli": True, **more}


def tool(name):
    """Python is the program by name, whatever it is called here."""
    program = "".join(c if c.isalnum() else "_" for c in pathlib.Path(sys.executable).name)
    return f"f__{program}_{name}"


def schema_of(client, name):
    (found,) = [t for t in client.tools() if t["name"] == name]
    return found["inputSchema"]


def seen(client, arguments, name="seen"):
    result = client.call(tool(name), arguments)
    assert not result.get("isError"), result
    return json.loads(text_of(result))


def fault(client, arguments, name=None):
    result = client.call(name or tool("seen"), arguments)
    assert result["isError"] is True
    return text_of(result)


def pid_in(path):
    wait_until(path.exists, 15, "the process")
    return int(path.read_text())


def gone(pid, timeout=10):
    wait_until(lambda: not is_alive(pid), timeout, f"the end of {pid}")


@pytest.fixture
def one(sluice):
    """A gateway with one command-line program `f` and a client."""
    s = sluice.http(servers(f=fakes("seen")))
    with s.client() as c:
        c.gateway = s
        yield c


# what is found


def test_subcommands_are_found_and_nested_ones_with_a_greater_depth(sluice):
    s = sluice.http(servers(deep=cli(cliDepth=3), usual=cli(), flat=cli(cliDepth=1)))
    with s.client() as c:
        names = [n.replace(tool("")[3:], "") for n in c.tool_names()]
    leaves = ["seen", "sleep", "fail", "flood", "leave", "raw", "die", "remote_add", "remote_get_url"]
    assert [n for n in names if n.startswith("deep__")] == [f"deep__{n}" for n in leaves]
    assert [n for n in names if n.startswith("usual__")] == [f"usual__{n}" for n in leaves]
    assert [n for n in names if n.startswith("flat__")] == [f"flat__{n}" for n in [*leaves[:-2], "remote"]]


def test_a_tool_has_a_schema_from_its_help_text(one):
    schema = schema_of(one, tool("seen"))
    assert schema["type"] == "object" and schema["additionalProperties"] is False
    assert schema["properties"] == {
        "args": {"type": "array", "items": {"type": "string"}, "description": "Positional arguments: [word ...]\nword: words"},
        "output": {"type": "string", "description": "where to"},
        "n": {"type": "string", "description": "a short one"},
        "dry-run": {"type": "boolean", "description": "do nothing"},
        "kind": {"type": "string", "enum": ["apple", "pear"], "description": "which"},
        "tag": {"type": "array", "items": {"type": "string"}, "description": "may be repeated"},
    }
    (shown,) = one.tools()
    assert shown["description"].endswith("Tells what it was given")


@pytest.mark.parametrize(
    "only,wanted",
    [(["remote"], {"remote_add", "remote_get_url"}), (["remote get-*", "d?e", "f*l"], {"remote_get_url", "fail"}), (["* add"], {"remote_add"})],
)
def test_only_wanted_subcommands_are_shown_and_asked(sluice, only, wanted):
    s = sluice.http(servers(f=fakes(*only)))
    with s.client() as c:
        assert {n.removeprefix(tool("")) for n in c.tool_names()} == wanted
        with pytest.raises(RpcError) as e:
            c.call(tool("seen"))
        assert e.value.code == -32602


def test_a_program_without_subcommands_is_one_tool(sluice, tmp_path):
    text = 'case "$1" in --help) echo "Usage: tool [-q] WORD..."; echo "  -q, --quiet  say nothing";; *) echo "ran $*";; esac\n'
    s = sluice.http(servers(f=script(tmp_path, text)))
    with s.client() as c:
        assert c.tool_names() == ["f__tool"]
        assert c.text("f__tool", {"quiet": True, "args": ["a b", "c"]}) == "ran --quiet a b c\n"


def test_help_by_another_word_and_text_on_stderr(sluice, tmp_path):
    text = """
if [ "$1" = help ] && [ -z "$2" ]; then echo "Commands:" >&2; echo "  sub   Does it" >&2; exit 2; fi
if [ "$1" = help ]; then echo "Usage: tool $2 [--deep]" >&2; echo "  --deep   more" >&2; exit 2; fi
echo "ran $*"
"""
    s = sluice.http(servers(f=script(tmp_path, text, cliHelp="help")))
    with s.client() as c:
        assert set(schema_of(c, "f__tool_sub")["properties"]) == {"args", "deep"}
        assert c.text("f__tool_sub", {"deep": True}) == "ran sub --deep\n"


def test_a_program_that_knows_no_long_help_is_asked_for_the_short_one(sluice, tmp_path):
    text = 'case "$1" in -h) echo "usage: tool [-v] FILE"; echo "  -v  more";; --help) echo "bad option" >&2; exit 1;; *) echo "$@";; esac\n'
    s = sluice.http(servers(f=script(tmp_path, text)))
    with s.client() as c:
        assert set(schema_of(c, "f__tool")["properties"]) == {"args", "v"}


def test_a_program_that_tells_the_same_of_everything_is_not_asked_for_ever(sluice, tmp_path):
    text = 'echo "$*" >> "$0.log"; printf "Commands:\\n  a   A\\n  b   B\\n"\n'
    s = sluice.http(servers(f=script(tmp_path, text, cliDepth=8)))
    with s.client() as c:
        assert c.tool_names() == ["f__tool_a", "f__tool_b"]
    asked = (tmp_path / "tool.log").read_text().splitlines()
    assert sorted(asked) == ["--help", "a --help", "b --help"]


def test_an_unknown_help_text_makes_one_tool(sluice, tmp_path):
    s = sluice.http(servers(f=script(tmp_path, 'echo "hello $*"\n')))
    s.log.wait("command_help_unknown")
    with s.client() as c:
        assert set(schema_of(c, "f__tool")["properties"]) == {"args"}
        assert c.text("f__tool", {"args": ["you"]}) == "hello you\n"


def test_a_slow_subcommand_costs_its_flags_and_not_the_others(sluice, tmp_path):
    text = """
case "$*" in
--help) printf "Commands:\\n  slow   Hangs\\n  fast   Does not\\n";;
"fast --help") echo "Usage: tool fast [--x]"; echo "  --x  an x";;
*--help) exec sleep 600;;
*) echo "ran $*";;
esac
"""
    s = sluice.http(servers(f=script(tmp_path, text, startupTimeout=f"{4 * PATIENCE}s")), ready=False)
    s.log.wait("backend_ready", 10)
    with s.client() as c:
        assert set(schema_of(c, "f__tool_fast")["properties"]) == {"args", "x"}
        assert set(schema_of(c, "f__tool_slow")["properties"]) == {"args"}
        assert c.text("f__tool_slow", {"args": ["y"]}) == "ran slow y\n"


def test_few_help_texts_are_asked_for_at_a_time(sluice, tmp_path):
    names = "".join(f"  c{i}   Number {i}\\n" for i in range(20))
    text = f"""
case "$*" in
--help) printf "Commands:\\n{names}";;
*) mkdir "$0.$$"; sleep 0.1; ls -d "$0".* | wc -l >> "$0.count"; rmdir "$0.$$"; echo "Usage: tool x"; echo "$*" ;;
esac
"""
    s = sluice.http(servers(f=script(tmp_path, text, name="many")), ready=False)
    s.log.wait("backend_ready", 20)
    running = [int(n) - 1 for n in (tmp_path / "many.count").read_text().split()]  # .count itself is one
    assert len(running) == 20 and max(running) <= 4


# what goes wrong at the start


def test_a_missing_program_is_told_and_tried_again(sluice, tmp_path):
    path = tmp_path / "late"
    s = sluice.http(servers(f={"command": str(path), "cli": True}, ex=fake()), ready=False)
    event = s.log.wait("backend_state", 10, backend="f", to="backoff")
    assert "No such file" in event["why"] and str(path) in event["why"]
    script(tmp_path, "echo 'Usage: late [FILE]'\n", name="late")
    s.log.wait("backend_ready", 20, backend="f")
    with s.client() as c:
        wait_until(lambda: "f__late" in c.tool_names(), what="its tool")


def test_a_missing_program_with_tools_of_ones_own_is_told_too(sluice, tmp_path):
    entry = {"command": str(tmp_path / "never"), "cli": True, "tools": [{"name": "t"}]}
    s = sluice.http(servers(f=entry), ready=False)
    assert "No such file" in s.log.wait("backend_state", 10, to="backoff")["why"]


@pytest.mark.parametrize(
    "text,more,why",
    [
        ("echo 'no such option' >&2; exit 7", {}, 'exited with code 7, and says nothing that can be read: "no such option"'),
        ("kill -9 $$", {}, "was killed by signal 9"),
        ("exec sleep 600", {"startupTimeout": "2s"}, "it does not end within"),
        ("printf 'Commands:\\n  a   A\\n'", {"cliOnly": ["b"]}, "none of its subcommands is in cliOnly"),
        ("echo 'Usage: tool FILE'", {"cliOnly": ["b"]}, "none of its subcommands is in cliOnly"),
    ],
)
def test_why_no_tools_were_found_is_told(sluice, tmp_path, text, more, why):
    s = sluice.http(servers(f=script(tmp_path, text, **more)), ready=False)
    assert why in s.log.wait("backend_state", 20, to="backoff")["why"]


def test_list_and_call_work_with_it(sluice):
    config = sluice.write(servers(f=fakes("seen", "fail")))
    code, out, err = sluice.output("list", "--config", config)
    assert code == 0 and [t["name"] for t in json.loads(out)["tools"]] == [tool("seen"), tool("fail")]
    code, out, err = sluice.output("call", tool("seen"), '{"args": ["x"]}', "--config", config)
    assert code == 0 and json.loads(text_of(json.loads(out)))["argv"] == ["seen", "x"]
    code, out, err = sluice.output("call", tool("fail"), "--config", config)
    assert code == 1 and "[exit code 3]" in text_of(json.loads(out))


# what a program is given


def test_flags_become_arguments(one):
    given = {"output": "a b", "dry-run": True, "kind": "pear", "tag": ["x", "y=z"], "n": "5", "args": ["one", "two words"]}
    assert seen(one, given)["argv"] == [
        *("seen", "--output=a b", "--dry-run", "--kind=pear", "--tag=x", "--tag=y=z", "-n", "5"),
        *("one", "two words"),
    ]
    assert seen(one, {"dry_run": False, "tag": [], "output": None, "args": []})["argv"] == ["seen"]


INJECTIONS = ["--output=/etc/x", "-o", "; rm -rf /", "$(id)", "`id`", "a\nb", "| cat", "&& x", "*", "~", "-", "--", "é\u202e", "'\"\\"]


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_value_stays_a_value(one, value):
    """argparse itself tells whether it took something for a flag: `word` would be shorter then."""
    assert seen(one, {"output": value})["argv"] == ["seen", f"--output={value}"]
    assert seen(one, {"tag": [value, value]})["argv"] == ["seen", f"--tag={value}", f"--tag={value}"]
    argv = seen(one, {"dry-run": True, "args": ["first", value]})["argv"]
    dashed = value.startswith("-") and value not in ("-", "--")
    assert argv == ["seen", "--dry-run", *(["--"] if dashed else []), "first", value]


def test_what_could_become_a_flag_is_refused(one):
    assert 'argument "n": a value that begins with "-"' in fault(one, {"n": "--output=/etc/x"})
    assert 'must come behind "--"' in fault(one, {"args": ["-x", "--", "y"]})
    assert seen(one, {"args": ["x", "--", "-y"]})["argv"] == ["seen", "x", "--", "-y"]


@pytest.mark.parametrize(
    "arguments,what",
    [
        ({"ouput": "x"}, 'there is no argument "ouput"'),
        ({"output": 5}, 'argument "output": must be a string'),
        ({"output": ["x"]}, 'argument "output": must be a string'),
        ({"output": "a\0b"}, 'argument "output": must not contain a NUL'),
        ({"output": "x" * 150000}, 'argument "output": longer than'),
        ({"args": ["a\0b"]}, 'argument "args": must not contain a NUL'),
        ({"args": "x"}, 'argument "args": must be an array of strings'),
        ({"args": [1]}, 'argument "args": must hold strings only'),
        ({"args": ["x" * 90000] * 20}, "too much altogether"),
        ({"args": ["x"] * 5000}, "too much altogether"),
        ({"dry-run": "true"}, 'argument "dry-run": must be true or false'),
        ({"kind": "plum"}, 'argument "kind": must be one of apple, pear'),
        ({"tag": "x"}, 'argument "tag": must be an array'),
        ({"dry-run": True, "dry_run": True}, 'argument "dry-run": given twice'),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_run(one, arguments, what):
    before = len(one.gateway.log.find("child_started"))
    assert what in fault(one, arguments)
    assert len(one.gateway.log.find("child_started")) == before


def test_arguments_that_are_no_object_are_refused(one):
    answer = one.ask({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": tool("seen"), "arguments": [1]}})
    assert "must be an object" in text_of(unwrap(answer))


def test_it_has_no_stdin_and_the_environment_of_a_server(sluice, tmp_path):
    entry = fakes("seen", env={"FAKE_X": "1"}, cwd=str(tmp_path))
    s = sluice.http(servers(f=entry))
    with s.client() as c:
        given = seen(c, {})
    assert given["stdin"] == "" and given["cwd"] == str(tmp_path) and given["session"]
    assert set(given["env"]) == {"FAKE_X", "SLUICE_BACKEND"} and given["env"]["SLUICE_BACKEND"].startswith("f.")


def test_tools_of_ones_own(sluice, tmp_path):
    tools = [
        {"name": "plain", "args": ["one", "-x"]},
        {
            "name": "full",
            "description": "All of it",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "host": {"type": "string"},
                    "v": {"type": "boolean"},
                    "days": {"type": "integer"},
                    "rate": {"type": "number"},
                    "kind": {"enum": ["a", "b"]},
                    "id": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["host"],
            },
        },
    ]
    s = sluice.http(servers(f=script(tmp_path, 'for a; do echo "$a"; done\n', tools=tools)))
    assert len(s.log.find("child_started")) == 0
    with s.client() as c:
        assert c.tools()[1]["inputSchema"] == tools[1]["inputSchema"]
        assert c.text("f__plain", {"args": ["-y"]}).split() == ["one", "-x", "--", "-y"]
        given = {"host": "h", "v": True, "days": -3, "rate": 1.5, "kind": "b", "id": [1, 2]}
        assert c.text("f__full", given).split() == ["--host=h", "-v", "--days=-3", "--rate=1.5", "--kind=b", "--id=1", "--id=2"]
        assert fault(c, {}, "f__full") == 'argument "host": is needed'
        assert fault(c, {"host": "h", "days": 1.5}, "f__full") == 'argument "days": must be an integer'
        assert fault(c, {"host": "h", "kind": "c"}, "f__full") == 'argument "kind": must be one of a, b'
        assert fault(c, {"host": "h", "id": ["x"]}, "f__full") == 'argument "id": must be an integer'


# what comes back


@pytest.fixture
def talker(sluice):
    s = sluice.http(servers(f=fakes("fail", "flood", "leave", "raw", "die"), limits={"maxMessageBytes": 20 << 20}))
    with s.client() as c:
        c.gateway = s
        yield c


def test_a_failure_comes_with_its_code_and_what_was_said(talker):
    result = talker.call(tool("fail"), {"code": "9"})
    assert result["isError"] is True
    assert text_of(result) == "before\n[stderr]\nwhat went wrong\n[exit code 9]"
    result = talker.call(tool("die"))
    assert result["isError"] is True and "[killed by signal 9" in text_of(result)


def test_output_is_text_whatever_it_is(talker):
    assert talker.text(tool("raw"), {"args": ["41ff42c3a900430a"]}) == "A\ufffdBé\0C\n"
    assert talker.text(tool("raw"), {"args": [""]}) == "[no output]"


def test_much_output_is_cut_and_endless_output_is_stopped(talker):
    result = talker.call(tool("flood"), {"lines": "50000"})
    text = text_of(result)
    assert not result.get("isError") and text.startswith("x" * 99 + "\n")
    assert text.endswith("[the rest of the output was left out: 1048576 of 5000000 bytes are shown]")
    result = talker.call(tool("flood"))
    assert result["isError"] is True and text_of(result).endswith("[stopped: it wrote more than it may]")


@pytest.mark.parametrize("away", [False, True])
def test_who_holds_the_pipe_holds_up_nobody(talker, away):
    started = time.monotonic()
    pid = int(talker.text(tool("leave"), {"away": away}))
    assert time.monotonic() - started < 10 * PATIENCE
    gone(pid)
    assert not is_alive(pid)


# time, cancelling, many at a time


def test_a_call_that_takes_too_long_is_stopped(sluice, tmp_path):
    s = sluice.http(servers(f=fakes("sleep", requestTimeout=f"{PATIENCE}s")))
    with s.client() as c:
        with pytest.raises(RpcError) as e:
            c.call(tool("sleep"), {"note": str(tmp_path / "pid"), "args": ["600"]}, 20 * PATIENCE)
        assert (e.value.data["reason"], e.value.data["outcome"]) == ("backend_timeout", "unknown")
    gone(pid_in(tmp_path / "pid"))


@pytest.mark.parametrize("how", [{}, {"stubborn": True}, {"polite": True}])
def test_a_cancelled_call_is_stopped_by_the_ladder(sluice, tmp_path, how):
    s = sluice.http(servers(f=fakes("sleep", stop={"term": "500ms"})))
    with s.client() as c:
        running = c.in_background(call(9, tool("sleep"), {"note": str(tmp_path / "pid"), "args": ["600"], **how}))
        pid = pid_in(tmp_path / "pid")
        c.notify("notifications/cancelled", {"requestId": 9})
        answer = running.join()
        assert answer["error"]["data"]["reason"] == "cancelled" and answer["error"]["data"]["outcome"] == "unknown"
        gone(pid)
    assert len(s.log.find("child_killed")) == (1 if "stubborn" in how else 0)


def test_so_many_run_at_a_time_and_the_others_wait(sluice, tmp_path):
    text = f"""
[ "$1" = --help ] && echo "Usage: tool WORD" && exit
mkdir "{tmp_path}/run.$$"; sleep 0.2; ls -d "{tmp_path}"/run.* | wc -l; rmdir "{tmp_path}/run.$$"
"""
    s = sluice.http(servers(f=script(tmp_path, text, maxProcesses=3)))
    with s.client() as c:
        calls = [c.in_background(call(i, "f__tool", {"args": ["x"]})) for i in range(10)]
        running = [int(text_of(unwrap(b.join(20 * PATIENCE)))) for b in calls]
    assert len(running) == 10 and max(running) <= 3


def test_beyond_the_queue_there_is_overload_and_a_waiting_call_can_be_cancelled(sluice, tmp_path):
    entry = fakes("sleep", maxProcesses=1)
    s = sluice.http(servers(f=entry, limits={"maxInFlightPerServer": 2}))
    with s.client() as c:
        first = c.in_background(call(1, tool("sleep"), {"note": str(tmp_path / "pid"), "args": ["600"]}))
        pid_in(tmp_path / "pid")
        second = c.in_background(call(2, tool("sleep"), {"note": str(tmp_path / "other"), "args": ["600"]}))
        wait_until(lambda: s.health()["in_flight"] == 2, what="two in flight")
        with pytest.raises(RpcError) as e:
            c.call(tool("sleep"), {"args": ["0"]})
        assert (e.value.data["reason"], e.value.data["outcome"]) == ("overloaded", "not_sent")
        c.notify("notifications/cancelled", {"requestId": 2})
        assert second.join()["error"]["data"]["outcome"] == "not_sent"
        c.notify("notifications/cancelled", {"requestId": 1})
        assert first.join()["error"]["data"]["outcome"] == "unknown"
        assert c.text(tool("sleep"), {"args": ["0"]}) == "slept\n"
    assert not (tmp_path / "other").exists()


# draining, stopping, reloading


def test_a_drain_waits_for_what_runs_and_starts_nothing_more(sluice, tmp_path):
    s = sluice.http(servers(f=fakes("sleep", maxProcesses=1)))
    with s.client() as c:
        running = c.in_background(call(1, tool("sleep"), {"note": str(tmp_path / "pid"), "args": [str(1.5 * PATIENCE)]}))
        pid_in(tmp_path / "pid")
        waiting = c.in_background(call(2, tool("sleep"), {"args": ["0"]}))
        wait_until(lambda: s.health()["in_flight"] == 2, what="two in flight")
        started = len(s.log.find("child_started"))
        s.signal(SIGTERM)
        error = waiting.join()["error"]
        assert error["data"]["outcome"] == "not_sent"
        assert text_of(unwrap(running.join())) == "slept\n"
    assert s.wait() == 0
    assert len(s.log.find("child_started")) == started
    last = s.last_line()
    assert (last["completed"], last["aborted"], last["refused"], last["backends_killed"]) == (1, 0, 1, 0)


def test_a_stop_ends_what_runs_on_within_its_time(sluice, tmp_path):
    lifecycle = {"gracePeriod": "4s", "margin": "1s", "lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}
    s = sluice.http(servers(f=fakes("sleep", stop={"term": "1m"}), lifecycle=lifecycle))
    with s.client() as c:
        running = c.in_background(call(1, tool("sleep"), {"note": str(tmp_path / "pid"), "args": ["600"], "stubborn": True}))
        pid = pid_in(tmp_path / "pid")
        s.signal(SIGTERM)
        error = running.join(10 * PATIENCE)["error"]
        assert (error["data"]["reason"], error["data"]["outcome"]) == ("draining", "unknown")
    code, took = s.timed_wait()
    assert code == 0 and took < 5 * PATIENCE and not is_alive(pid)
    last = s.last_line()
    assert last["aborted"] == 1 and last["backends_killed"] == 1


@pytest.mark.parametrize("signals", [1, 2, 3])
def test_a_stop_while_help_is_asked_for(sluice, tmp_path, signals):
    text = 'echo $$ > "$0.pid"; trap "" TERM; [ "$*" = --help ] && { printf "Commands:\\n  a   A\\n"; exit; }; while :; do sleep 1; done\n'
    s = sluice.http(servers(f=script(tmp_path, text)), ready=False)
    wait_until(lambda: len(s.log.find("child_started")) >= 2, 15, "a subcommand that is asked")
    for _ in range(signals):
        s.signal(SIGTERM)
        time.sleep(0.05)
    assert s.wait(15) == 0
    assert not s.left_behind()


def test_another_command_replaces_the_server_and_calls_of_the_old_one_finish(sluice, tmp_path):
    r = Reloading(sluice, servers(f=fakes("sleep")))
    with r.s.client() as c:
        running = c.in_background(call(1, tool("sleep"), {"note": str(tmp_path / "pid"), "args": [str(2 * PATIENCE)]}))
        pid_in(tmp_path / "pid")
        assert counts(r.reload(servers(f=fakes("sleep", "seen")))) == (0, 0, 1, 1, 0)
        wait_until(lambda: tool("seen") in c.tool_names(), 15, "the new tool")
        assert text_of(unwrap(running.join())) == "slept\n"
        assert counts(r.reload(servers(f=fakes("sleep", "seen", requestTimeout="9s", maxProcesses=2)))) == (0, 0, 1, 0, 0)
        assert seen(c, {"args": ["x"]})["argv"] == ["seen", "x"]
        assert counts(r.reload(servers(f=fake()))) == (0, 0, 1, 1, 0)
        wait_until(lambda: "f__echo" in c.tool_names(), 15, "a server that speaks MCP")


def test_it_is_never_idle(sluice):
    s = sluice.http(servers(f=fakes("seen", idleTimeout="10ms")))
    with s.client() as c:
        seen(c, {})
        time.sleep(0.3)
        assert not s.log.find("backend_state", to="idle")
        seen(c, {})
    assert len(s.log.find("backend_ready")) == 1


def test_a_lazy_one_is_looked_at_by_the_first_call(sluice):
    s = sluice.http(servers(f=fakes("seen", startup="lazy")))
    assert not s.log.find("child_started")
    with s.client() as c:
        assert seen(c, {"args": ["x"]})["argv"] == ["seen", "x"]
        assert 'there is no argument "y"' in fault(c, {"y": 1})


def test_other_requests_are_not_known_to_it(sluice):
    s = sluice.http(servers(f=fakes("seen"), namespace="never"))
    with s.client() as c:
        for method, params in (("prompts/get", {"name": "x"}), ("what/ever", {})):
            with pytest.raises(RpcError) as e:
                c.request(method, params)
            assert e.value.code in (-32601, -32602)


# real programs


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_git(sluice, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    args = ["-C", str(work), "--no-pager"]
    entry = {"command": "git", "args": args, "cli": True, "cliOnly": ["init", "status", "log"], "inheritEnv": ["HOME"]}
    s = sluice.http(servers(f=entry), ready=False)
    s.log.wait("backend_ready", 30)
    with s.client() as c:
        assert set(c.tool_names()) == {"f__git_init", "f__git_status", "f__git_log"}
        assert "quiet" in schema_of(c, "f__git_init")["properties"]
        assert "Initialized" in c.text("f__git_init")
        assert "No commits yet" in c.text("f__git_status")
        assert c.text("f__git_status", {"porcelain": ""}) == "[no output]"
        result = c.call("f__git_log", {"args": ["--output=/tmp/x"]})
        assert result["isError"] is True and "[exit code 128]" in text_of(result)


@pytest.mark.parametrize("program,flag", [("ls", "all"), ("grep", "ignore-case"), ("sort", "reverse")])
def test_everyday_programs(sluice, tmp_path, program, flag):
    (tmp_path / "-file").write_text("b\nA\n")
    s = sluice.http(servers(f={"command": program, "cli": True, "cwd": str(tmp_path)}))
    with s.client() as c:
        assert schema_of(c, f"f__{program}")["properties"][flag]["type"] == "boolean"
        args = {"ls": ["-file"], "grep": ["a", "-file"], "sort": ["-file"]}[program]
        wanted = {"ls": "-file\n", "grep": "A\n", "sort": "b\nA\n"}[program]
        assert c.text(f"f__{program}", {flag: True, "args": args}) == wanted
