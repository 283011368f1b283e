"""sluice doctor: what it finds out about a server that is up, and about one that is not."""

import json

import pytest

from harness import example, fake, servers
from test_one_shot import dead, on_terminal


def examined(sluice, name, config):
    code, out, err = sluice.output("doctor", name, "--config", sluice.write(config))
    return code, json.loads(out), err


def test_a_server_that_is_up_is_told_with_all_that_it_said(sluice):
    code, found, err = examined(sluice, "ex", servers(ex=example("--tools", 7), f=fake()))
    assert (code, err) == (0, "")
    assert (found["server"], found["up"], found["transport"], found["isolation"]) == ("ex", True, "stdio", "shared")
    assert (found["revision"], found["era"]) == ("2025-11-25", "legacy")
    assert found["server_info"]["name"] == "example"
    assert found["tools"] > 7 and found["resources"] == 2 and found["resourceTemplates"] == 1 and found["prompts"] == 2
    assert {"tools", "resources", "prompts", "completion", "logging"} <= set(found["capabilities"])
    assert 0 < found["answer_us"]["min"] <= found["answer_us"]["median"] <= found["answer_us"]["max"]
    assert "every message passes as it is" in found["clients"]["legacy"]
    assert any("resultType" in sentence for sentence in found["clients"]["modern"])


def test_only_that_server_is_started(sluice, tmp_path):
    record = tmp_path / "record"
    assert examined(sluice, "ex", servers(ex=example(), f=fake(record=str(record))))[0] == 0
    assert not record.exists()


@pytest.mark.parametrize("shape", ["dies", "missing"])
def test_a_server_that_is_not_up_is_69_with_the_reason(sluice, shape):
    code, found, err = examined(sluice, shape, servers(**{shape: dead(shape)}))
    assert (code, found["up"]) == (69, False)
    assert found["fault"] in err and "revision" not in found


def test_a_misspelt_server_gets_a_suggestion(sluice):
    code, out, err = sluice.output("doctor", "exampel", "--config", sluice.write(servers(example=example())))
    assert (code, out) == (64, "") and 'did you mean "example"?' in err


def test_it_is_a_table_on_a_terminal(sluice):
    config = sluice.write(servers(ex=example()))
    code, shown = on_terminal(sluice, "doctor", "ex", "--config", config, NO_COLOR="1")
    assert code == 0
    assert "ex is up" in shown and "2025-11-25 (legacy)" in shown and "example 1.0.0" in shown
    assert "Clients of the modern revision (2026-07-28):" in shown
