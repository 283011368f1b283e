"""S57: three replicas are replaced behind the rules of kube-proxy, and no request is lost."""

from drilling import assert_hardly_refused, assert_nothing_lost, drill


def test_a_rolling_update_behind_kube_proxy_loses_nothing():
    (record,) = drill("--scenario", "rolling")
    assert_nothing_lost(record)
    assert_hardly_refused(record)
    f = record["figures"]
    assert f["long_answered"] == f["long_calls"] > 20
    assert f["late"] > 0  # requests did come to pods that were ending
    assert f["pods_ended"] == 3
