"""What README.md and docs/ say is so: every command in a ```sh block runs, every link leads somewhere, every event of a log
line that is named exists.

A block runs in a folder of its own, in the order of its page, with the program on the PATH, and must end with 0. A comment
before it says what it needs besides:

    <!-- test: with a gateway -->    one serves at 127.0.0.1:8080 and :9902 (elsewhere: the addresses are changed)
    <!-- test: serves -->            the last command goes on for ever: it must become ready
    <!-- test: with npx -->          a server that npx would fetch is the example server of this tree
    <!-- test: with helm -->, kubectl what they would give is deploy/kubernetes.yaml, which is made from the chart
    <!-- test: with claude -->       of what is somebody else's (and of npx's inspector) the arguments alone are looked at
    <!-- test: not run: REASON -->   its syntax is checked, and the options of each `sluice` in it
"""

import errno
import os
import re
import shlex
import subprocess
from signal import SIGKILL

import pytest

from harness import BINARY, EXAMPLE, PATIENCE, ROOT, clean_env

# Pages whose commands run elsewhere, with more than there is here.
ELSEWHERE = {"kubernetes.md": "tests/deploy/test_guide.py"}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- test: (?P<needs>.*?) -->\n\s*)?```sh\n(?P<text>.*?)^ *```$", re.M | re.S
)
LIMIT = 30 * PATIENCE
CONFIG = """{
    "mcpServers": { "everything": { "command": "%s" } },
    "session": { "keys": [ { "id": "a", "secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" } ] },
    "lifecycle": { "lameDuck": { "min": "0s", "quiet": "0s", "max": "0s" } }
}"""


class Block:
    def __init__(self, page, match):
        self.page, self.needs = page, match["needs"] or ""
        self.text = re.sub(f"^{match['indent']}", "", match["text"], flags=re.M)
        self.line = page.read_text().count("\n", 0, match.start("text")) + 1

    def __str__(self):
        return f"{self.page.name}:{self.line}"


def blocks():
    return [
        Block(page, m) for page in PAGES if page.name not in ELSEWHERE for m in BLOCK.finditer(page.read_text())
    ]


def test_no_block_is_left_out():
    for page in PAGES:
        if page.name in ELSEWHERE:
            assert page.name in (ROOT / ELSEWHERE[page.name]).read_text()
        else:
            found = len(re.findall(r"^ *```sh", page.read_text(), re.M))
            assert found == len(list(BLOCK.finditer(page.read_text()))), page


NPX = f"""#!/bin/sh
case "$*" in
"-y @modelcontextprotocol/server-"*) exec {EXAMPLE} ;;
"-y @modelcontextprotocol/inspector" | "-y @modelcontextprotocol/inspector --cli http://127.0.0.1:"*"/mcp --transport http --method t"* | \\
"-y @modelcontextprotocol/inspector --cli /"*"/sluice serve --method tools/list") ;;
*) echo "npx: unexpected: $*" >&2; exit 1 ;;
esac
"""
CLAUDE = r"""#!/bin/bash
case "$*" in
"mcp list" | "mcp add --transport http "*"sluice http://127.0.0.1:"*"/mcp" | "mcp add sluice -- /"*"/sluice serve --config /"*) ;;
*) echo "claude: unexpected: $*" >&2; exit 1 ;;
esac
"""
GIVES_MANIFESTS = f"""#!/bin/sh
case "$*" in
"template "*" deploy/helm/sluice" | "get deployment,service,pdb -o yaml") cat {ROOT}/deploy/kubernetes.yaml ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""
STAND_INS = {"with npx": ("npx", NPX), "with claude": ("claude", CLAUDE)}
STAND_INS |= {f"with {name}": (name, GIVES_MANIFESTS) for name in ("helm", "kubectl")}


class Place:
    """A folder with what the top of the source tree has, and a PATH with the program in front."""

    def __init__(self, folder):
        self.folder, self.tools = folder, folder / ".tools"
        self.tools.mkdir()
        (self.tools / "sluice").symlink_to(BINARY)
        (folder / "build").mkdir()
        (folder / "build" / "sluice").symlink_to(BINARY)
        for name in ("examples", "deploy"):
            (folder / name).symlink_to(ROOT / name)
        (folder / ".config" / "mcp").mkdir(parents=True)
        for path in (folder / "servers.json", folder / ".config" / "mcp" / "servers.json"):
            path.write_text(CONFIG % EXAMPLE)
        (folder / "deployment.yaml").write_bytes((ROOT / "deploy" / "kubernetes.yaml").read_bytes())
        self.env = clean_env(PATH=f"{self.tools}:{os.environ['PATH']}", HOME=str(folder))

    def stand_in(self, name, script):
        (self.tools / name).write_text(script)
        (self.tools / name).chmod(0o755)

    def run(self, text):
        done = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder, env=self.env, stdin=-3, stdout=-1, stderr=-2, text=True, start_new_session=True,
        )
        try:
            said, _ = done.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, SIGKILL)
            raise AssertionError(f"it goes on for ever:\n{text}") from None
        assert done.returncode == 0, f"exit status {done.returncode}\n{text}\n{said}"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def elsewhere(text, s):
    text = re.sub(r"\bsluice (status|drain)\b", rf"sluice \1 --admin {s.admin}", text)
    return text.replace("127.0.0.1:8080", s.address).replace("127.0.0.1:9902", s.admin)


def serve_last(place, sluice, text):
    """The lines before the last command run, and that is started with ports of its own."""
    *before, last = [line for line in text.splitlines() if line.strip()]
    place.run("\n".join(before))
    words = [re.sub(r"^~", str(place.folder), word) for word in shlex.split(last, comments=True)]
    assert words[0] in ("sluice", "build/sluice") and words[1] == "serve" and "--http" in words
    at = words.index("--http")
    words = [*words[1 : at + 1], "127.0.0.1:0", *words[at + 1 :], "--admin", "off", "--log-format", "json"]
    s = sluice.run(*words, env=place.env)
    s.wait_listening().wait_ready()


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_commands(block, place, sluice):
    needs, text = block.needs, block.text
    sluice.directory = place.folder
    if needs.startswith("not run: "):
        assert len(needs) > len("not run: ") + 10
        check_without_running(text)
        return
    needs = list(filter(None, needs.split(", ")))
    for need in needs:
        assert need in ("with a gateway", "serves", *STAND_INS), f"{block}: {need}?"
        if need in STAND_INS:
            place.stand_in(*STAND_INS[need])
    if "with a gateway" in needs:
        s = sluice.http((place.folder / "servers.json").read_text(), admin="127.0.0.1:0")
        text = elsewhere(text, s)
    if "serves" in needs:
        serve_last(place, sluice, text)
    else:
        place.run(text)


def options_of(command):
    done = subprocess.run([BINARY, "help", command], capture_output=True, text=True, timeout=LIMIT, check=True)
    return set(re.findall(r"^  (--[a-z-]+) ", done.stdout, re.M))


def check_without_running(text):
    subprocess.run(["bash", "-n", "-c", text], check=True, timeout=LIMIT)
    subcommands = re.findall(r"^  ([a-z]+) ", subprocess.run([BINARY, "help"], capture_output=True, text=True).stdout, re.M)
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for n, word in enumerate(words[:-1]):
            if (word == "sluice" or word.endswith("/sluice")) and words[n + 1] in subcommands:
                given = {w.split("=")[0] for w in words[n + 2 :] if w.startswith("--")}
                if words[0] in ("sluice", "build/sluice"):
                    assert given <= options_of(words[n + 1]), line
            if word == "./dev":
                assert re.search(rf"^\./dev {words[n + 1]}\b", (ROOT / "dev").read_text(), re.M), line


def test_a_wrong_command_is_noticed(place):
    for text in ("sluice serve --htp", "sluice check --config nothing.json", "false | cat", "no-such-program"):
        with pytest.raises(AssertionError):
            place.run(text)
    with pytest.raises(AssertionError):
        check_without_running("sluice serve --htp 1")
    with pytest.raises(AssertionError):
        check_without_running("./dev nonsense")


# links


def anchors(page):
    """As GitHub makes them from headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    found = []
    for title in re.findall(r"^#+ +(.*)$", text, re.M):
        title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title.lower())
        found.append(re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CHANGES.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name}: {target}"


# words of the program


def sources():
    return "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.c")) + "\n".join(
        path.read_text() for path in (ROOT / "src").rglob("*.h")
    )


def test_events_and_reasons_that_are_named_exist():
    text = (ROOT / "docs/troubleshooting.md").read_text()
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)) - {"this_form"}
    known = set(re.findall(r'"([a-z_]+)"', sources()))
    assert len(words) > 30 and words <= known, words - known


FROM_THE_SYSTEM = [os.strerror(number) for number in errno.errorcode]
COMPOSED = ["not found in PATH"]  # of pieces, by spawn.c


def test_sentences_that_are_quoted_are_said():
    """Of a sentence with "..." in it, each part."""
    text = (ROOT / "docs/troubleshooting.md").read_text()
    said = re.sub(r'"\s*\n\s*"', "", sources()).replace('\\"', "'")
    said = re.sub(r"%[.*]*(?:l?l?[dsu])", "...", said)
    for quote in re.findall(r'"([^"\n`]{12,})"', text.replace("\n", " ")):
        for part in quote.split("..."):
            part = part.strip(" ,?:()")
            if len(part) > 8 and not part.startswith("exited with code"):
                assert part.lower() in said.lower() or part in FROM_THE_SYSTEM + COMPOSED, quote


def test_the_index_knows_every_page():
    readme = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in readme, page.name
