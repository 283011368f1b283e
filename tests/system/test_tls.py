"""http.tls: HTTPS on the main port, certificates of clients, other certificates while running, and all rules of the
plain port."""

import contextlib
import os
import socket
import ssl
import threading
import time
from signal import SIGHUP, SIGTERM

import pytest

import http_client
from certificates import Authority
from harness import PATIENCE, example, fake, servers, wait_until
from http_client import Closed, Connection, EventStream, split_address
from mcp_client import call, text_of, unwrap
from reloading import Mount, dumps, replace


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue("server")


@pytest.fixture(autouse=True)
def contexts():
    yield http_client.TLS
    http_client.TLS.clear()


def tls(pair, **more):
    return {"tls": {"cert": str(pair.cert), "key": str(pair.key), **{k: str(v) for k, v in more.items()}}}


def serve(sluice, config, context, *args, **options):
    """A gateway over HTTPS, known as such to every client of this test."""
    s = sluice.http(config, *args, ready=False, **options)
    http_client.TLS[s.address] = context
    return s.wait_ready()


@pytest.fixture
def gateway(sluice, authority, pair):
    return serve(sluice, servers(ex=example(), http=tls(pair)), authority.client_context())


def serial_of(connection):
    return connection.sock.getpeercert()["serialNumber"]


def is_alive(connection):
    return connection.exchange("GET", "/livez").status == 200


def plain_socket(address):
    sock = socket.create_connection(split_address(address), http_client.TIMEOUT)
    sock.settimeout(http_client.TIMEOUT)
    return sock


# what works as on a plain port


def test_calls_share_a_connection(gateway):
    with gateway.client() as c:
        first = c.connection()
        for i in range(20):
            assert c.text("ex__echo", {"text": f"n{i}"}) == f"n{i}"
        assert c.connection() is first
        assert "ex__echo" in c.tool_names()
    assert gateway.log.find("listening")[0]["tls"] is True


def test_streams_come_as_they_are_written(gateway):
    with gateway.client() as c:
        r = c.post(call(7, "ex__progress", {"steps": 3, "ms": 30}, token="t"))
        assert r.is_sse, r
        messages = EventStream(r.connection, r).messages()
        assert [m.get("method") for m in messages[:-1]] == ["notifications/progress"] * len(messages[:-1])
        assert len(messages) > 1 and messages[-1]["id"] == 7
        stream = c.get_stream()
        assert isinstance(stream, EventStream)
        with pytest.raises(TimeoutError):
            stream.next_message(0.3)


def test_large_bodies_in_both_directions(gateway):
    text = "".join(chr(32 + i % 90) for i in range(3 << 20)).replace('"', "'").replace("\\", "/")
    with gateway.client() as c:
        assert c.text("ex__echo", {"text": text}, timeout=30 * PATIENCE) == text


def test_pipelined_requests_are_answered_in_order(gateway):
    with gateway.connect() as c:
        c.send(f"GET /livez HTTP/1.1\r\nHost: {c.host}\r\n\r\n" * 50 + f"GET /none HTTP/1.1\r\nHost: {c.host}\r\n\r\n")
        assert [c.response().status for _ in range(51)] == [200] * 50 + [404]


def test_the_end_of_a_connection_is_told(gateway):
    with gateway.connect() as c:
        c.sock.strict = True  # an end without close_notify would be an error
        r = c.exchange("GET", "/livez", {"Connection": "close"})
        assert r.status == 200 and r.closes
        assert c.wait_closed(reset_is_fine=False) == b""


def test_the_end_of_an_idle_connection_is_told(sluice, authority, pair):
    s = serve(sluice, servers(http={**tls(pair), "idleTimeout": "200ms"}), authority.client_context())
    with s.connect() as c:
        c.sock.strict = True
        assert is_alive(c)
        assert c.wait_closed(reset_is_fine=False) == b""


def test_who_has_ended_its_half_gets_the_answer(gateway):
    with gateway.connect() as c:
        c.request("GET", "/livez")
        c.half_close()
        assert c.response().status == 200
        assert c.wait_closed(reset_is_fine=False) == b""


# who is let in


def test_the_protocol_is_agreed_on(gateway, authority):
    def agreed(protocols):
        context = authority.client_context()
        context.set_alpn_protocols(protocols)
        with contextlib.closing(plain_socket(gateway.address)) as sock:
            with context.wrap_socket(sock, server_hostname="localhost") as s:
                return s.selected_alpn_protocol(), s.version()

    assert agreed(["h2", "http/1.1"]) == ("http/1.1", "TLSv1.3")
    with pytest.raises(ssl.SSLError):
        agreed(["h2"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(gateway, authority):
    context = authority.client_context()
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with plain_socket(gateway.address) as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(sock, server_hostname="localhost")
    context = authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with plain_socket(gateway.address) as sock, context.wrap_socket(sock, server_hostname="localhost") as s:
        assert s.version() == "TLSv1.2"


def test_a_plain_request_is_told_that_this_is_https(gateway):
    for text in ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"):
        with plain_socket(gateway.address) as sock:
            sock.sendall(text.encode())
            answer = b""
            while data := sock.recv(65536):
                answer += data
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"HTTPS" in answer
    gateway.log.wait("tls_failed", why="the client speaks no TLS")


def test_clients_must_show_a_certificate_when_they_are_asked_to(sluice, authority, stranger, pair):
    known, other = authority.issue("known", "DNS:known"), stranger.issue("other", "DNS:other")
    s = serve(sluice, servers(ex=example(), http=tls(pair, clientCa=authority.cert)), authority.client_context(known))
    with s.client() as c:
        assert c.text("ex__echo", {"text": "let in"}) == "let in"

    def refused(context):
        """With TLS 1.3 the client hears of it with its first read."""
        http_client.TLS[s.address] = context
        with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
            with s.connect() as c:
                is_alive(c)

    refused(authority.client_context())
    refused(authority.client_context(other))
    http_client.TLS[s.address] = authority.client_context(known)
    s.log.wait("tls_failed")
    assert s.get("/livez").status == 200


# handshakes that are none


def test_a_slow_handshake_is_ended_and_keeps_nobody_waiting(sluice, authority, pair):
    s = serve(sluice, servers(http={**tls(pair), "headerTimeout": "500ms"}), authority.client_context())
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(plain_socket(s.address)) for _ in range(20)]
        for i, sock in enumerate(silent):
            sock.sendall(b"\x16\x03\x01\x02\x00\x01"[: i % 7])
        begin = time.monotonic()
        assert s.get("/livez").status == 200
        assert time.monotonic() - begin < 0.4 * PATIENCE
        for sock in silent:
            with contextlib.suppress(ConnectionError):
                while sock.recv(4096):
                    pass
        assert time.monotonic() - begin < 5 * PATIENCE
    s.log.wait("tls_failed", why="the TLS handshake took longer than 500ms")


def test_garbage_and_leaving_early_do_no_harm(gateway):
    for text in (b"", b"\x16", b"\x16\x03\x01\xff\xff" + b"x" * 400, b"\x80\x80" * 40, b"\0" * 5000, os.urandom(3000)):
        for end in (socket.SHUT_WR, None):
            with plain_socket(gateway.address) as sock:
                sock.sendall(text)
                if end is None:
                    continue
                sock.shutdown(end)
                with contextlib.suppress(ConnectionError):
                    while sock.recv(4096):
                        pass
    assert gateway.get("/livez").status == 200
    wait_until(lambda: gateway.get("/livez").status == 200, what="nobody left")


def test_many_handshakes_at_once(gateway):
    failed = []

    def work():
        try:
            with gateway.connect() as c:
                assert is_alive(c) and is_alive(c)
        except Exception as e:  # shown below
            failed.append(e)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20 * PATIENCE)
    assert not failed and not any(t.is_alive() for t in threads)


# other certificates


def test_a_new_pair_is_taken_from_changed_files_and_open_connections_go_on(sluice, tmp_path, authority):
    old, new = authority.issue("old"), authority.issue("new")
    mount = Mount(tmp_path / "secret", tls__crt=old.text()[0], tls__key=old.text()[1])
    paths = {"cert": str(mount.path("tls.crt")), "key": str(mount.path("tls.key"))}
    s = serve(sluice, servers(ex=fake(), http={"tls": paths}), authority.client_context())
    with s.client() as c:
        pid = c.text("ex__pid")
        before = serial_of(c.connection())
        pending = c.in_background(call("long", "ex__sleep", {"ms": 1500 * PATIENCE}), 30 * PATIENCE)
        mount.swap(tls__crt=new.text()[0], tls__key=new.text()[1])
        told = s.log.wait("reloaded", 10)
        assert told["tls"] is True and told["changed"] == 0
        with s.connect() as fresh:
            assert is_alive(fresh) and serial_of(fresh) != before
        assert c.text("ex__pid") == pid and serial_of(c.connection()) == before
        assert text_of(unwrap(pending.join())) == "slept"


def test_a_pair_that_does_not_fit_is_refused_and_the_old_one_stays(sluice, tmp_path, authority):
    old, new = authority.issue("stays"), authority.issue("comes")
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    cert.write_text(old.text()[0]), key.write_text(old.text()[1])
    s = serve(sluice, servers(ex=example(), http={"tls": {"cert": str(cert), "key": str(key)}}), authority.client_context())
    with s.connect() as c:
        before = serial_of(c)
    replace(cert, new.text()[0])
    fault = s.log.wait("config_error", 10)
    assert fault["path"] == "http.tls" and str(key) in fault["msg"] and str(cert) in fault["msg"]
    s.log.wait("reload_failed", 10)
    with s.connect() as c:
        assert is_alive(c) and serial_of(c) == before
    replace(cert, "nonsense")
    s.signal(SIGHUP)
    s.log.wait("reload_failed", 10, 2)
    with s.client() as c:
        assert c.text("ex__echo", {"text": "still"}) == "still"
    replace(cert, new.text()[0]), replace(key, new.text()[1])
    s.log.wait("reloaded", 10, tls=True)
    with s.connect() as c:
        assert is_alive(c) and serial_of(c) != before


def test_a_list_of_authorities_is_taken_anew_too(sluice, tmp_path, authority, stranger, pair):
    ca = tmp_path / "clients.crt"
    ca.write_text(stranger.text()[0])
    other, known = stranger.issue("first", "DNS:first"), authority.issue("second", "DNS:second")
    s = serve(sluice, servers(http=tls(pair, clientCa=ca)), authority.client_context(other))
    replace(ca, authority.text()[0])
    s.signal(SIGHUP)
    s.log.wait("reloaded", 10, tls=True)
    with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
        s.get("/livez")
    http_client.TLS[s.address] = authority.client_context(known)
    assert s.get("/livez").status == 200


def test_that_there_is_tls_at_all_needs_a_restart(sluice, tmp_path, authority, pair):
    path = sluice.write(servers())
    s = sluice.run("serve", "--http", "127.0.0.1:0", "--admin", "off", "--config", path, "--log-format", "json")
    s.wait_listening().wait_ready()
    replace(path, dumps(servers(http=tls(pair))))
    assert s.log.wait("reload_needs_restart", 10)["keys"] == "http.tls"
    assert s.get("/livez").status == 200


# faults of the configuration


def test_faults_of_the_files_are_told_by_check(sluice, tmp_path, authority, pair):
    other = authority.issue("unrelated")
    missing = tmp_path / "missing.crt"
    for http, words in (
        ({"tls": {"cert": str(missing), "key": str(pair.key)}}, [str(missing), "No such file"]),
        ({"tls": {"cert": str(pair.cert), "key": str(other.key)}}, [str(other.key), str(pair.cert), "does not belong"]),
        ({"tls": {"cert": str(pair.key), "key": str(pair.key)}}, [str(pair.key), "no certificate"]),
        (tls(pair, clientCa=missing), [str(missing)]),
    ):
        code, out, err = sluice.output("check", "--config", sluice.write(servers(http=http)))
        assert code == 78 and all(word in out + err for word in ["http.tls", *words]), out + err
    code, out, err = sluice.output("check", "--config", sluice.write(servers(http=tls(pair))))
    assert code == 0


# addresses, the admin port, and the commands that ask


def test_with_tls_a_foreign_address_needs_no_insecure(sluice, authority, pair):
    config = servers(ex=example(), http=tls(pair))
    s = sluice.http(config, at="0.0.0.0:0", admin="0.0.0.0:0", ready=False)
    main, admin = (f"127.0.0.1:{address.rpartition(':')[2]}" for address in (s.address, s.admin))
    http_client.TLS.update({main: authority.client_context(), admin: authority.client_context()})
    s.address, s.admin = main, admin
    s.wait_ready()
    assert s.get("/status", admin=True).status == 200
    code, _, err = sluice.output("status", "--admin", f"https://{admin}", "--ca", authority.cert)
    assert code == 0, err


def test_insecure_says_that_the_admin_port_is_plain(sluice, authority, pair):
    s = serve(sluice, servers(http=tls(pair)), authority.client_context(), "--insecure", admin="0.0.0.0:0")
    s.admin = f"127.0.0.1:{s.admin.rpartition(':')[2]}"
    assert s.get("/status", admin=True).status == 200


def test_the_commands_ask_over_tls(sluice, authority, stranger, pair):
    known = authority.issue("asks", "DNS:asks")
    s = serve(sluice, servers(http=tls(pair)), authority.client_context(), admin="127.0.0.1:0")
    url = f"https://{s.address}/health"
    for args in ([url], ["--ca", authority.cert, url]):
        assert sluice.output("healthcheck", *args) == (0, "", "")
    for args in (["--ca", stranger.cert, url], [url.replace("https", "http")]):
        code, _, err = sluice.output("healthcheck", *args)
        assert code == 1 and err
    assert sluice.output("status", "--admin", s.admin)[0] == 0  # plain, as on any loopback address
    guarded = serve(
        sluice, servers(http=tls(pair, clientCa=authority.cert)), authority.client_context(known), admin="127.0.0.1:0"
    )
    url = f"https://{guarded.address}/health"
    assert sluice.output("healthcheck", url)[0] == 1
    assert sluice.output("healthcheck", "--cert", known.cert, "--key", known.key, url) == (0, "", "")


# the end

LAME = {"lameDuck": {"min": "500ms", "quiet": "100ms", "max": "3s"}}


def test_a_call_in_flight_is_answered_after_sigterm(sluice, authority, pair):
    s = serve(sluice, servers(ex=example(), http=tls(pair)), authority.client_context())
    with s.client() as c:
        pending = c.in_background(call("long", "ex__sleep", {"ms": 700 * PATIENCE}), 30 * PATIENCE)
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        s.signal(SIGTERM)
        assert "id" in pending.join()
        unwrap(pending.answer)
    assert s.wait() == 0
    last = s.last_line()
    assert (last["completed"], last["aborted"], last["refused"]) == (1, 0, 0)


def test_a_drain_loses_nothing(sluice, authority, pair):
    """Clients that keep calling hear `Connection: close` with an answer and come again, until nobody answers: no call
    is without its answer."""
    s = serve(sluice, servers(ex=example(), http=tls(pair), lifecycle=LAME), authority.client_context())
    lost, answered = [], []

    def work():
        try:
            c = s.client()
        except Exception as e:  # shown below
            lost.append(e)
            return
        while True:
            try:
                c.connection()
            except (OSError, ssl.SSLError):
                return  # nobody is there any more, and nothing was asked
            try:
                r = c.post(call(1, "ex__echo", {"text": "x"}))
            except Exception as e:  # shown below
                lost.append(e)
                return
            if r.status == 503:
                return
            answered.append(text_of(unwrap(r.json())))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) > 50, 20, "some calls")
    s.signal(SIGTERM)
    for thread in threads:
        thread.join(20 * PATIENCE)
    assert s.wait() == 0
    assert not lost and set(answered) == {"x"}
    last = s.last_line()
    assert last["aborted"] == 0


def test_open_handshakes_and_idle_connections_do_not_hold_up_the_end(sluice, authority, pair):
    s = serve(sluice, servers(http=tls(pair)), authority.client_context())
    with contextlib.ExitStack() as stack:
        half = [stack.enter_context(plain_socket(s.address)) for _ in range(5)]
        for sock in half:
            sock.sendall(b"\x16\x03\x01")
        idle = [stack.enter_context(s.connect()) for _ in range(5)]
        assert all(map(is_alive, idle))
        s.signal(SIGTERM)
        code, seconds = s.timed_wait()
        assert code == 0 and seconds < 4 * PATIENCE
        for c in idle:
            c.sock.strict = True
            assert c.wait_closed(reset_is_fine=False) == b""
