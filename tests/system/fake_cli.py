"""A command-line program that does what a test wants to see: it tells what it was given, fails, floods, hangs, leaves
somebody behind. Its help texts are argparse's."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time


def seen(a):
    env = {k: v for k, v in os.environ.items() if k.startswith(("FAKE_", "SLUICE", "MCP_"))}
    given = {"argv": sys.argv[1:], "stdin": sys.stdin.read(), "env": env, "cwd": os.getcwd(), "session": os.getsid(0) == os.getpid()}
    print(json.dumps(given))


def note(a):
    """Writes our pid to a file, so that a test can look for us."""
    if a.note:
        path = pathlib.Path(a.note)
        path.with_suffix(".new").write_text(str(os.getpid()))
        path.with_suffix(".new").rename(path)


def sleep(a):
    if a.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if a.polite:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    note(a)
    time.sleep(a.seconds)
    print("slept")


def fail(a):
    print("before")
    print("what went wrong", file=sys.stderr)
    sys.exit(a.code)


def flood(a):
    line = b"x" * 99 + b"\n"
    for _ in range(a.lines) if a.lines else iter(int, 1):
        sys.stdout.buffer.write(line)


def leave(a):
    """Ends while a child of ours holds the pipes open."""
    child = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", "import signal,time;signal.signal(15,signal.SIG_IGN);time.sleep(600)"],
        start_new_session=a.away,
    )
    time.sleep(0.2)  # it ignores SIGTERM by then
    print(child.pid)


def raw(a):
    sys.stdout.buffer.write(bytes.fromhex(a.hex))


def die(a):
    os.kill(os.getpid(), signal.SIGKILL)


def parser():
    p = argparse.ArgumentParser(prog="fake", description="Does what it is told")
    p.add_argument("--top", help="not shown below")
    commands = p.add_subparsers(required=True)

    def command(name, run, help, under=None):
        c = (under or commands).add_parser(name, help=help, description=help)
        c.set_defaults(run=run)
        return c

    c = command("seen", seen, "Tells what it was given")
    c.add_argument("-o", "--output", metavar="FILE", help="where to")
    c.add_argument("-n", metavar="N", help="a short one")
    c.add_argument("--dry-run", action="store_true", help="do nothing")
    c.add_argument("--kind", choices=["apple", "pear"], help="which")
    c.add_argument("--tag", action="append", help="may be repeated")
    c.add_argument("word", nargs="*", help="words")
    c = command("sleep", sleep, "Sleeps")
    c.add_argument("--note", metavar="FILE")
    c.add_argument("--stubborn", action="store_true")
    c.add_argument("--polite", action="store_true")
    c.add_argument("seconds", type=float)
    command("fail", fail, "Fails").add_argument("--code", type=int, default=3)
    command("flood", flood, "Writes much").add_argument("--lines", type=int, default=0)
    command("leave", leave, "Leaves somebody behind").add_argument("--away", action="store_true")
    command("raw", raw, "Writes bytes").add_argument("hex")
    command("die", die, "Dies")
    remote = commands.add_parser("remote", help="Remotes", description="Remotes").add_subparsers(required=True)
    command("add", seen, "Adds one", remote).add_argument("--fetch", action="store_true", help="at once")
    command("get-url", seen, "Tells its address", remote)
    return p


args = parser().parse_args()
args.run(args)
