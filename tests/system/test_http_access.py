"""Who may come: Host, Origin, CORS, and the base path (interface.md, sections 2 and 3; DNS rebinding)."""

import pytest

from harness import example, servers, wait_until
from mcp_client import ACCEPT, dumps, initialize_params, request

JSON_HEADERS = {"Accept": ACCEPT, "Content-Type": "application/json"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"])
def test_a_foreign_host_gets_403(shared, host):
    with shared.connect() as c:
        body = dumps(request(1, "initialize", initialize_params()))
        c.request("POST", "/mcp", {"Host": host, **JSON_HEADERS}, body, host=False)
        assert c.response().status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "LOCALHOST:8080", "[::1]:9"])
def test_loopback_names_are_fine_as_hosts_whatever_the_port(shared, host):
    with shared.connect() as c:
        body = dumps(request(1, "initialize", initialize_params()))
        c.request("POST", "/mcp", {"Host": host, **JSON_HEADERS}, body, host=False)
        assert c.response().status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost.evil.example", "file://"])
def test_a_foreign_origin_gets_403(client, origin):
    for verb in ("POST", "GET", "DELETE"):
        body = dumps(request(1, "ping")) if verb == "POST" else b""
        r = client.connection().exchange(verb, "/mcp", client.headers(Origin=origin), body)
        assert r.status == 403, verb
        assert r.header("access-control-allow-origin") is None
        if r.closes:
            client.close()


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:6274", "https://localhost", "http://[::1]:5"])
def test_a_loopback_origin_is_served_with_cors(client, origin):
    r = client.post(request(1, "ping"), headers=client.headers(Origin=origin))
    assert r.status == 200 and r.header("access-control-allow-origin") == origin
    assert "mcp-session-id" in r.header("access-control-expose-headers").lower()


def test_a_preflight_of_an_allowed_origin_is_answered(raw):
    r = raw.exchange(
        "OPTIONS",
        "/mcp",
        {
            "Origin": "http://localhost:3000",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,mcp-session-id,mcp-protocol-version",
        },
    )
    assert r.status in (200, 204) and r.header("access-control-allow-origin") == "http://localhost:3000"
    assert "POST" in r.header("access-control-allow-methods")
    allowed = r.header("access-control-allow-headers").lower()
    assert all(name in allowed for name in ("content-type", "mcp-session-id", "mcp-protocol-version"))


def test_a_preflight_of_a_foreign_origin_gets_403(raw):
    r = raw.exchange("OPTIONS", "/mcp", {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})
    assert r.status == 403


def test_configured_hosts_and_origins_replace_the_defaults(sluice):
    config = servers(
        ex=example(),
        http={"allowedHosts": ["gate.example", "127.0.0.1"], "allowedOrigins": ["https://app.example"]},
    )
    s = sluice.http(config)
    body = dumps(request(1, "initialize", initialize_params()))
    table = [
        ("gate.example", "https://app.example", 200),
        ("gate.example:8443", None, 200),
        ("localhost", None, 403),
        ("gate.example", "https://other.example", 403),
        ("gate.example", "http://app.example", 403),
    ]
    for host, origin, status in table:
        with s.connect() as c:
            headers = {"Host": host, **JSON_HEADERS, **({"Origin": origin} if origin else {})}
            c.request("POST", "/mcp", headers, body, host=False)
            assert c.response().status == status, (host, origin)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/health"])
def test_probes_ask_for_neither_host_nor_origin(raw, path):
    raw.request("GET", path, {"Host": "10.1.2.3:8080", "Origin": "http://evil.example"}, host=False)
    assert raw.response().status == 200


def test_a_base_path_stands_before_every_path(sluice):
    s = sluice.http(servers(ex=example(), http={"basePath": "/gate"}), ready=False)
    wait_until(lambda: 200 in (s.get("/gate/readyz").status, s.get("/readyz").status), what="ready")
    with s.client("/gate/mcp") as c:
        assert c.text("ex__echo", {"text": "x"}) == "x"
    with s.raw_client("/mcp") as c:
        assert c.post(request(1, "initialize", initialize_params())).status == 404
