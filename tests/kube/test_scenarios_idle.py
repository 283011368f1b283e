"""S1: nothing is going on when SIGTERM comes."""

from signal import SIGTERM

from harness import PATIENCE, example, servers
from scale import dur, life


def test_s01_an_idle_gateway_leaves_after_the_least_lame_duck_and_not_before(sluice):
    lame_duck = {"min": dur(5), "quiet": dur(2), "max": dur(10)}
    s = sluice.http(servers(ex=example(), lifecycle={"gracePeriod": dur(30), "lameDuck": lame_duck}), admin="127.0.0.1:0")
    s.signal(SIGTERM)
    s.log.wait("phase", to="lame_duck")
    assert s.get("/readyz").status == 503 and s.get("/livez").status == 200
    code, seconds = s.timed_wait(30)
    assert code == 0 and life(5) * 0.9 < seconds < life(10) + 2 * PATIENCE
