"""The manual pages and the completion, against the program's own help."""

import re
import subprocess

import pytest

from harness import BINARY, ROOT

PAGES = {"sluice.1": ROOT / "docs/man/sluice.1", "servers.json.5": BINARY.parent / "docs/servers.json.5"}
# What depends on the machine: which other manuals it has.
ABOUT_OTHERS = ("referenced manual not found", "outdated mandoc.db")


def output(*args):
    return subprocess.run(list(map(str, args)), capture_output=True, text=True, timeout=30, check=False)


def help_of(*command):
    done = output(BINARY, "help", *command)
    assert done.returncode == 0
    return done.stdout


def commands():
    return re.findall(r"^  ([a-z]+) ", help_of(), re.M)


def options(command):
    return set(re.findall(r"^  (--[a-z-]+) ", help_of(command), re.M))


@pytest.fixture(scope="module")
def page():
    """sluice(1) as plain text, each paragraph on a line of its own."""
    done = output("mandoc", "-T", "utf8", "-O", "width=1000", PAGES["sluice.1"])
    assert done.stderr == ""
    return re.sub(r".\x08", "", done.stdout).replace("‐", "-")


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_has_nothing_to_say(name):
    done = output("mandoc", "-T", "lint", "-W", "style", PAGES[name])
    said = [line for line in (done.stdout + done.stderr).splitlines() if not any(a in line for a in ABOUT_OTHERS)]
    assert said == []


def test_every_command_is_in_the_manual(page):
    synopsis = page[page.index("SYNOPSIS") : page.index("DESCRIPTION")]
    assert re.findall(r"^ +sluice ([a-z]+)", synopsis, re.M) == commands()
    described = page[page.index("   Commands\n") : page.index("   Options\n")]
    assert re.findall(r"^ {5}([a-z]+)(?: |$)", described, re.M) == commands()


def test_every_command_tells_its_options_and_no_others(page):
    described = page[page.index("   Commands\n") : page.index("   Options\n")]
    parts = dict(re.findall(r"^ {5}([a-z]+)\s+(.*?)(?=^ {5}[a-z]|\Z)", described, re.M | re.S))
    for command in commands():
        text = parts[command]
        if "takes what list does" in text:
            text = parts["list"]
        assert set(re.findall(r"--[a-z-]+", text)) == options(command) - {"--help"}, command


def test_every_option_is_in_the_manual_and_no_other(page):
    described = page[page.index("   Options\n") : page.index("\nSERVICE MANAGERS\n")]
    told = set(re.findall(r"--[a-z-]+", "\n".join(re.findall(r"^ {5}(--.*)", described, re.M))))
    assert told == set().union(*map(options, commands()))


def test_the_exit_codes_are_those_of_the_program(page):
    header = (ROOT / "src/cli/cli.h").read_text()
    codes = re.findall(r"^\tCLI_[A-Z]+ = (\d+)|^\tCLI_FAILED = (\d+)", header, re.M)
    told = re.findall(r"^ {5}(\d+) ", page[page.index("EXIT STATUS") : page.index("EXAMPLES")], re.M)
    assert told == [a or b for a, b in codes]


def complete(*words):
    """What bash offers for the last of the words."""
    script = f"""
        source {ROOT}/deploy/completion/sluice.bash
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() {{ :; }}
        _sluice; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", BINARY, *words], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_offers_what_the_program_takes():
    assert complete("") == commands()
    assert complete("h") == ["healthcheck", "help"]
    assert complete("help", "st") == ["status"]
    assert set(complete("serve", "--")) == options("serve")
    assert complete("drain", "--wa") == ["--wait"]
    assert complete("serve", "--log-format", "j") == ["json"]
    assert complete("check", "--config", "READ") == ["README.md"]
