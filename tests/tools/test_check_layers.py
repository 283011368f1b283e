"""A checker that never finds anything looks like one that finds nothing: each rule is broken once, on purpose."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

HEADER = "/* What it is for. */\n"

FAULTS = [
    ("json/scan.c", '#include "http/head.h"\n', "src/json/scan.c:1: json/scan must not include \"http/head.h\""),
    ("backend/life.c", '#include "mcp/method.h"\n', "src/backend/life.c:1: backend/life must not include"),
    ("supervise/ladder.c", '#include "supervise/child.h"\n', "src/supervise/ladder.c:1: supervise/ladder must not"),
    ("gateway/call.c", '#include "backend/stdio.h"\n', "src/gateway/call.c:1: gateway/call must not include"),
    ("gateway/phase.c", '#include "gateway/gateway.h"\n', "src/gateway/phase.c:1: gateway/phase must not include"),
    ("front/mcp.c", '\n#include "config/config.h"\n', "src/front/mcp.c:2: front/mcp must not include"),
    ("main.c", '#include "gateway/gateway.h"\n', "src/main.c:1: main must not include"),
    ("config/parse.c", '#include "net/other.h"\n', "src/config/parse.c:1: config/parse must not include"),
    ("attic/old.c", "", "src/attic/old.c:1: attic is not in the table"),
    ("net/conn.c", "#include <uv.h>\n", "src/net/conn.c:1: <uv.h> is not for net"),
    ("gateway/call.c", "#include <openssl/evp.h>\n", "src/gateway/call.c:1: <openssl/evp.h> is not for gateway"),
    ("net/conn.c", "#include <sys/prctl.h>\n", "src/net/conn.c:1: <sys/prctl.h> is not for net"),
    ("base/x.c", "\nstatic void f(void)\n{\n\tstrcpy(a, b);\n}\n", "src/base/x.c:4: strcpy is banned"),
    ("base/x.c", "static int f(void)\n{\n\treturn fork ();\n}\n", "src/base/x.c:3: fork is banned"),
    ("base/x.c", "\nint lonely(void (*f)(int),\n\tint b)\n{\n}\n", "src/base/x.c:2: lonely is neither static nor"),
    ("base/y.c", '#include <stdio.h>\n#include "base/y.h"\n', "src/base/y.c:1: \"base/y.h\" must be the first include"),
    ("base/bare.h", "#ifndef BARE\n", "src/base/bare.h:1: a header opens with a comment"),
]

FINE = [
    ("base/x.c", '/* strcpy(a, b) is what we do not do */ static const char *const a = "system(1)";\n'),
    ("base/x.c", "static void f(struct x *x)\n{\n\tx->system(1);\n\tmy_fork();\n}\n"),
    ("base/y.c", '#include "base/y.h"\n\n__attribute__((format(printf, 1, 2))) int known(const char *f, ...)\n{\n}\n'),
    ("supervise/ladder.c", '#include "supervise/ladder.h"\n#include "base/span.h"\n'),
    ("gateway/call.c", '#include "backend/backend.h"\n'),
    ("config/parse.c", '#include "net/listener.h"\n'),
    ("loop/loop.c", "#include <sys/signalfd.h>\n#include <uv.h>\n"),
    ("main.c", '#include "cli/cli.h"\nint main(void)\n{\n}\n'),
]


@pytest.fixture
def check(tmp_path):
    def run(path, text):
        shutil.copy(ROOT / "ARCHITECTURE.md", tmp_path)
        files = {
            "base/y.h": HEADER + "int known(const char *f, ...);\n",
            "net/listener.h": HEADER + "struct listener_conf {\n};\n",
            "net/other.h": HEADER,
            path: text,
        }
        for name, content in files.items():
            file = tmp_path / "src" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return subprocess.run([ROOT / "tools" / "check-layers", tmp_path], capture_output=True, text=True)

    return run


@pytest.mark.parametrize("path, text, message", FAULTS)
def test_a_broken_rule_is_found_with_file_and_line(check, path, text, message):
    result = check(path, text)
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.startswith(message)


@pytest.mark.parametrize("path, text", FINE)
def test_what_is_allowed_is_passed(check, path, text):
    result = check(path, text)
    assert (result.stdout, result.returncode) == ("", 0)
