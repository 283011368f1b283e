"""Session ids are sealed tokens: no memory is needed to know one, and none that we did not make is taken."""

import base64
import os
import time

import pytest

from harness import example, servers, wait_until
from mcp_client import NEWEST, notification, request


def key(id="k1"):
    return {"id": id, "secret": base64.b64encode(os.urandom(32)).decode()}


def session_status(c):
    return c.post(request(1, "tools/list")).status


def test_a_token_changed_anywhere_is_refused(client, shared):
    token = client.session
    with shared.raw_client() as c:
        c.revision = NEWEST
        step = max(1, len(token) // 25)
        changed = [token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in range(0, len(token), step)]
        for bad in changed + [token[:-1], token + "A", token[1:], token * 2, token.swapcase()]:
            c.session = bad
            assert session_status(c) == 404, bad
        c.session = token
        assert session_status(c) == 200


def test_tokens_cannot_be_told_apart_by_their_length_and_are_never_alike(shared):
    seen = set()
    for _ in range(20):
        with shared.client() as c:
            seen.add(c.session)
    assert len(seen) == 20


def test_a_token_is_well_under_a_kilobyte_whatever_the_client_calls_itself(shared):
    with shared.client(name="n" * 5000) as c:
        assert len(c.session) <= 512 and session_status(c) == 200
    with shared.client(name='quote " and \u00e9 \U0001f600 and \x01') as c:
        assert session_status(c) == 200


def test_another_process_with_the_same_key_takes_the_token(sluice):
    config = servers(ex=example(), session={"keys": [key()]})
    a, b = sluice.http(config), sluice.http(config)
    with a.client(revision="2025-03-26") as c, b.raw_client() as d:
        d.session = c.session
        assert "ex__echo" in d.tool_names()
        assert d.post([request(1, "ping")]).status == 200, "the revision is in the token"
        with a.client(revision="2025-06-18") as c2:
            d.session = c2.session
            assert d.post([request(1, "ping")]).status == 400


def test_a_token_outlives_the_process_when_the_key_is_kept(sluice):
    config = servers(ex=example(), session={"keys": [key()]})
    a = sluice.http(config)
    with a.client() as c:
        token = c.session
    a.stop()
    with sluice.http(config).raw_client() as d:
        d.session, d.revision = token, NEWEST
        assert d.text("ex__echo", {"text": "as if nothing had been"}) == "as if nothing had been"


def test_without_keys_each_process_has_its_own(sluice):
    config = servers(ex=example())
    a, b = sluice.http(config), sluice.http(config)
    with a.client() as c, b.raw_client() as d:
        d.session, d.revision = c.session, NEWEST
        assert session_status(d) == 404


def test_the_first_key_seals_and_all_open(sluice):
    old, new = key("old"), key("new")
    a = sluice.http(servers(ex=example(), session={"keys": [old]}))
    b = sluice.http(servers(ex=example(), session={"keys": [new, old]}))
    e = sluice.http(servers(ex=example(), session={"keys": [new]}))
    with a.client() as of_old, b.client() as of_new, b.raw_client() as at_b, e.raw_client() as at_e:
        at_b.session = of_old.session
        assert session_status(at_b) == 200
        at_e.session = of_new.session
        assert session_status(at_e) == 200
        at_e.session = of_old.session
        assert session_status(at_e) == 404


def test_a_changed_configuration_does_not_invalidate_a_token(sluice):
    k = key()
    a = sluice.http(servers(ex=example(), session={"keys": [k]}))
    b = sluice.http(servers(other=example(), more=example(), session={"keys": [k]}))
    with a.client() as c, b.raw_client() as d:
        d.session, d.revision = c.session, NEWEST
        assert "other__echo" in d.tool_names()


def test_a_deleted_session_is_gone_at_this_process(sluice):
    s = sluice.http(servers(ex=example(), session={"keys": [key()]}))
    with s.client() as c, s.client() as other:
        assert 200 <= c.delete().status < 300
        for _ in range(3):
            assert session_status(c) == 404
        assert session_status(other) == 200


def test_a_session_that_lost_its_memory_is_rebuilt_silently(sluice):
    s = sluice.http(servers(ex=example(), session={"idleTimeout": "200ms"}))
    with s.client() as c:
        time.sleep(0.6)
        assert c.text("ex__echo", {"text": "still known"}) == "still known"


def test_more_sessions_than_fit_into_memory_all_work(sluice):
    s = sluice.http(servers(ex=example(), session={"max": 5}))
    clients = [s.client() for _ in range(20)]
    for _ in range(2):
        for n, c in enumerate(clients):
            assert c.text("ex__echo", {"text": str(n)}) == str(n)
    for c in clients:
        c.close()


def test_a_rebuilt_session_is_told_once_that_lists_may_have_changed(sluice):
    config = servers(ex=example(), session={"keys": [key()]})
    a, b = sluice.http(config), sluice.http(config)
    with a.client() as c, b.raw_client() as d:
        d.session, d.revision = c.session, NEWEST
        stream = d.get_stream()
        assert stream.response.status == 200
        assert stream.next_message()["method"].endswith("/list_changed")
        assert d.post(notification("notifications/initialized")).status == 202


def test_the_number_of_clients_is_told(sluice):
    s = sluice.http(servers(ex=example()))
    clients = [s.client() for _ in range(3)]
    wait_until(lambda: s.health()["active_clients"] == 3, what="three clients")
    clients[0].delete()
    wait_until(lambda: s.health()["active_clients"] == 2, what="two clients")
    for c in clients:
        c.close()


@pytest.mark.parametrize("secret", ["short", "", base64.b64encode(b"x" * 31).decode(), base64.b64encode(b"x" * 33).decode()])
def test_a_key_that_is_no_32_bytes_of_base64_is_a_configuration_error(sluice, secret):
    path = sluice.write(servers(ex=example(), session={"keys": [{"id": "a", "secret": secret}]}))
    code, out, err = sluice.output("check", "--config", path)
    assert code == 78 and "session.keys[0].secret" in out + err
    assert not secret or secret not in out + err, "a secret is never shown"
