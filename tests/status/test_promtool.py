"""Prometheus's own tool has the last word on what is scraped and on the rules that are deployed."""

import json
import os
import shutil
import subprocess

from harness import ROOT, example, servers

RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
PROMTOOL = shutil.which("promtool") or str(ROOT / ".cache" / "prometheus" / "usr" / "bin" / "promtool")


def promtool(*args, **options):
    assert os.path.exists(PROMTOOL), "there is no promtool: tools/need promtool fetches it"
    done = subprocess.run([PROMTOOL, *map(str, args)], capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_has_nothing_to_say_of_the_metrics(sluice):
    s = sluice.http(servers(a=example()), admin="127.0.0.1:0")
    assert promtool("check", "metrics", input=s.get("/metrics", admin=True).body.decode()) == ""


def test_promtool_accepts_the_rules():
    promtool("check", "rules", RULES)


def test_the_rules_fire_when_they_should_and_not_else():
    promtool("test", "rules", RULES.with_name("rules_test.yaml"))


def test_every_panel_of_the_dashboard_asks_something_that_prometheus_understands(tmp_path):
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "sluice.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(asked) > 30
    for variable, value in (("$__rate_interval", "5m"), ("$__range", "1h"), ("$job", ".*"), ("$instance", ".*"), ("$backend", ".*")):
        asked = [expression.replace(variable, value) for expression in asked]
    rules = [{"record": f"panel{n}", "expr": expression} for n, expression in enumerate(asked)]
    path = tmp_path / "panels.yaml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", path)
