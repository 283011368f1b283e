"""Nobody is left behind: grandchildren, escapees and zombies, while serving and at the end."""

import pytest

from harness import command_of, descendants_of, fake, is_alive, kill_and_wait, servers, wait_until

STOP = {"eof": "200ms", "term": "300ms"}


@pytest.mark.parametrize("same_group", [True, False])
def test_grandchildren_that_ignore_sigterm_are_swept(sluice, same_group):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        c.call("f__script", {"steps": [{"fork": 5, "same_group": same_group}, {"answer": "ok"}]})
        family = wait_until(lambda: (d := descendants_of(s.pid)) and len(d) >= 6 and d, what="the family")
    assert s.terminate() == 0
    assert [command_of(pid) for pid in family if is_alive(pid)] == []
    assert s.last_line()["orphans_reaped"] >= (0 if same_group else 5)


@pytest.mark.parametrize("same_group", [True, False])
def test_the_family_of_a_server_that_crashed_is_swept_while_serving(sluice, same_group):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        c.call("f__script", {"steps": [{"fork": 3, "same_group": same_group}, {"answer": "ok"}]})
        family = wait_until(lambda: (d := descendants_of(s.pid)) and len(d) >= 4 and d, what="the family")
        kill_and_wait(int(c.text("f__pid")))
        wait_until(lambda: not any(map(is_alive, family)), 8, "the end of the whole family")
        assert c.text("f__echo", {"text": "a new one"}) == "a new one"


def test_no_zombies_gather_while_serving(sluice):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        for _ in range(5):
            kill_and_wait(int(c.text("f__pid")))
            c.text("f__echo", {"text": "x"})

        def zombies():
            return [p for p in descendants_of(s.pid) if not is_alive(p)]

        wait_until(lambda: not zombies(), 5, "no zombies")


def test_idle_stops_leave_nothing_either(sluice):
    s = sluice.http(servers(f=fake(ignore_eof=True, more={"idleTimeout": "200ms", "stop": STOP})))
    with s.client() as c:
        pid = int(c.text("f__pid"))
        wait_until(lambda: not is_alive(pid), 4, "the idle server's end")
