"""S57 to S62 behind real balancers: rolling updates, one replica, scale-in, node shutdown, a slow load balancer, a soak."""

import pytest

from drilling import assert_ended_well, assert_hardly_refused, assert_nothing_lost, drill


@pytest.mark.parametrize("balancer", ["haproxy", "nginx"])
def test_a_rolling_update_behind_an_ingress_loses_nothing(balancer):
    (record,) = drill("--scenario", "rolling", "--balancer", balancer)
    assert_nothing_lost(record)
    assert_hardly_refused(record)
    f = record["figures"]
    assert f["long_answered"] == f["long_calls"] > 20


def test_one_replica_that_stays_ready_serves_until_its_successor_is_there():
    stays, fails = drill("--scenario", "single")
    assert_nothing_lost(stays)
    assert stays["figures"]["refused"] == 0
    assert_ended_well(fails)
    f = fails["figures"]
    assert f["refused"] > 0 and f["resets"] == 0 and f["streams_cut"] == 0  # there was no endpoint, and no call was cut
    assert f["gap"] > stays["figures"]["gap"]


def test_ten_replicas_become_two_and_nothing_is_lost():
    (record,) = drill("--scenario", "scale-in")
    assert_nothing_lost(record)
    f = record["figures"]
    assert f["pods_ended"] == 8
    assert f["long_answered"] == f["long_calls"] > 10
    assert f["reopened_in_a_second"] < f["streams_reopened"]  # they do not come back all at once


def test_a_node_shutdown_cuts_only_calls_that_do_not_fit_and_one_that_was_told_says_so():
    untold, told = drill("--scenario", "node-shutdown")
    f = untold["figures"]
    assert f["killed"] == 1  # the plan was for 60 s
    assert f["long_answered"] >= 5  # those with 10 s and less to go
    assert f["long_calls"] - f["long_answered"] == f["lost"] <= 2
    f = told["figures"]
    assert_ended_well(told)
    assert f["resets"] == f["streams_cut"] == 0
    assert f["lost"] == f["told"] == f["long_calls"] - f["long_answered"] <= 4  # each of these has an error that says so


def test_a_slow_load_balancer_loses_nothing_with_a_long_lame_duck_and_is_refused_politely_with_the_default():
    long, default = drill("--scenario", "nlb")
    assert_nothing_lost(long)
    assert long["figures"]["refused"] == long["figures"]["unavailable"] == 0
    assert long["figures"]["long_answered"] == long["figures"]["long_calls"] == 6
    f = default["figures"]
    assert_ended_well(default)
    assert f["unavailable"] > 0 and f["resets"] == 0
    assert f["long_answered"] == f["long_calls"] == 6


CYCLES = 60


def test_nothing_grows_while_pods_start_and_stop_under_load():
    (record,) = drill("--scenario", "soak", "--cycles", str(CYCLES), scale="1")
    assert_nothing_lost(record)
    f = record["figures"]
    assert f["pods_ended"] >= CYCLES
    early, last = record["samples"][len(record["samples"]) // 4], record["samples"][-1]
    assert last["orphans"] == 0
    for what in ("processes", "cgroups", "drill's descriptors", "stayer's descriptors", "stayer's processes"):
        assert last[what] <= early[what] + 4, (what, early[what], last[what])
    assert last["stayer's memory"] <= early["stayer's memory"] + 2048  # KiB
