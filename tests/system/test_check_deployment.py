"""`sluice check --deployment`: manifests as they come from helm, kubectl or an editor."""

import json
import re

import pytest

from harness import ROOT, clean_env, example, servers

GOOD = (ROOT / "tests/unit/manifest/good.yaml").read_text()


def check(sluice, text, *args, env=None):
    """(exit code, stdout) of the check of that text."""
    path = sluice.directory / "deployment.yaml"
    path.write_text(text)
    code, out, err = sluice.output("check", "--deployment", path, *args, env=env)
    assert err == ""
    return code, out


def rules(out):
    return set(re.findall(r"\[([a-z-]+)\]$", out, re.M))


def test_a_manifest_that_is_right_is_told_with_its_plan(sluice):
    code, out = check(sluice, GOOD)
    assert code == 0 and "ok: 0 errors, 0 warnings, 0 with advice" in out
    assert "Deployment/sluice\nShutdown plan: 60 s from SIGTERM to SIGKILL" in out


def test_an_error_exits_78_and_tells_where_why_and_what_instead(sluice):
    code, out = check(sluice, GOOD.replace("path: /livez", "path: /readyz"))
    assert code == 78
    first, why, instead = out.splitlines()[:3]
    place = "Deployment/sluice spec.template.spec.containers[0].livenessProbe.httpGet.path"
    assert re.match(r".*deployment\.yaml:\d+:\d+: error: " + re.escape(place) + r": /readyz \[liveness-path\]$", first)
    assert why.startswith("    ") and instead == "    Instead: path: /livez"
    assert "not ok: 1 error, 0 warnings" in out


def test_warnings_and_advice_exit_0(sluice):
    code, out = check(sluice, GOOD.replace("sluice:1.0.0-runners", "sluice:latest-runners").replace("3600", "10").replace("minReadySeconds: 5", "paused: false"))
    assert code == 0 and rules(out) == {"ingress-timeout", "min-ready"}
    assert "1 warning, 1 with advice" in out


def test_stdin_as_helm_template_writes_it(sluice):
    text = "---\n# Source: sluice/templates/deployment.yaml\n" + GOOD
    for args in (["--deployment", "-"], ["--deployment=-"]):
        code, out, _ = sluice.output("check", *args, input=text)
        assert code == 0 and out.startswith("stdin: ok")


def test_the_configuration_may_be_given_beside_it(sluice):
    config = servers(ex=example(), session={"keys": []}, lifecycle={"gracePeriod": "90s"})
    env = clean_env(MCP_GRACE_PERIOD="5s")  # this shell's own, which no pod has
    text = GOOD.replace("MCP_GRACE_PERIOD", "OTHER")
    code, out = check(sluice, text, "--config", sluice.write(config), env=env)
    assert code == 78 and {"session-keys", "grace-longer"} <= rules(out)
    assert "says 90 s, the pod has 60 s" in out and "ok, 1 server" in out


def test_a_given_configuration_with_faults_is_told_alone(sluice):
    code, out = check(sluice, GOOD, "--config", sluice.write({"mcpServers": {"ex": {"comand": "x"}}}))
    assert code == 78 and "mcpServers.ex.comand" in out and "Shutdown plan" not in out


def test_none_of_this_needs_a_configuration_of_ones_own(sluice):
    code, out = check(sluice, GOOD, env={"PATH": "/usr/bin"})
    assert code == 0, out


@pytest.mark.parametrize(
    "text, told",
    [
        ("a: [", "line 2"),
        ("a: &a [*a]", "line 1"),
        ("[" * 200, "nested too deeply"),
        ("", "nothing-to-check"),
        ("kind: Deployment\nspec: 5\n", "nothing-to-check"),
        ("- 1\n- 2\n", "nothing-to-check"),
    ],
)
def test_what_is_no_manifest_exits_78(sluice, text, told):
    code, out = check(sluice, text)
    assert code == 78 and told in out


def test_a_file_that_is_not_there_or_too_large(sluice):
    code, out, _ = sluice.output("check", "--deployment", "/does/not/exist")
    assert code == 78 and "/does/not/exist" in out
    code, out, _ = sluice.output("check", "--deployment", "-", input="# much\n" * (2 << 20))
    assert code == 78 and "larger than" in out
    code, out, err = sluice.output("check", "--deployment")
    assert code == 64 and "--deployment wants a value" in err


def test_aliases_of_aliases_take_no_time_and_no_memory(sluice):
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    code, out = check(sluice, "\n".join(lines))
    assert code == 78 and "too many values" in out


def test_json_as_kubectl_prints_it(sluice):
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "sluice", "image": "sluice:1", "args": ["serve", "--http"]}]},
    }
    code, out = check(sluice, json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod]}, indent=2))
    assert code == 78 and {"start-loopback", "readiness-missing", "bare-pod"} <= rules(out)
    assert "Pod/p items[0].spec.containers[0].args[1]" in out


def test_the_recipe_of_the_manual_has_no_fault(sluice):
    manual = (ROOT / "docs/lifecycle.md").read_text()
    recipe = manual.split("### A plain Service")[1].split("```yaml\n")[1].split("```")[0]
    code, out = check(sluice, "kind: Deployment\n" + recipe)
    assert code == 0 and "0 errors, 0 warnings" in out


def test_nothing_in_a_manifest_steers_a_terminal(sluice):
    text = GOOD.replace("path: /livez", r'path: "/x\e]0;y\a\n/z"')
    text = text.replace("name: sluice\n", 'name: "sluice\\e[2J"\n', 1)
    code, out = check(sluice, text)
    assert code == 78 and "sluice?[2J" in out and "/x?]0;y??/z" in out
    assert not set(out) & {"\x1b", "\a"}
