"""What a service manager gives and hears: sd_notify(3), watchdog, and sockets that are handed over. The manager is a
fake: a datagram socket, and socket_activator.py."""

import pathlib
import socket
import sys
import threading
import time
from signal import SIGCONT, SIGHUP, SIGSTOP, SIGTERM

import pytest

import http_client
from harness import PATIENCE, certificates, clean_env, example, fake, servers, wait_until
from http_client import Connection
from mcp_client import McpHttp, call, text_of, unwrap
from reloading import replace

ACTIVATOR = str(pathlib.Path(__file__).with_name("socket_activator.py"))
ECHO = call(1, "ex__echo", {"text": "hello"})


class Manager:
    """Listens where NOTIFY_SOCKET points."""

    def __init__(self, name):
        self.name, self.messages = name, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name[0] == "@" else name)
        self.condition = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                data = self.socket.recv(4096)
            except OSError:
                return
            if not data:
                return
            fields = dict(line.split("=", 1) for line in data.decode().split("\n"))
            with self.condition:
                self.messages.append({"at": time.monotonic(), **fields})
                self.condition.notify_all()

    def having(self, field, value=None):
        with self.condition:
            return [m for m in self.messages if field in m and value in (None, m[field])]

    def wait(self, field, value=None, count=1, timeout=10.0):
        wait_until(lambda: len(self.having(field, value)) >= count, timeout, f"{field} from the gateway")
        return self.having(field, value)[count - 1]

    def states(self):
        """What it acts on, in order."""
        with self.condition:
            return [key for m in self.messages for key in m if key in ("READY", "RELOADING", "STOPPING")]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def manager(tmp_path):
    m = Manager(str(tmp_path / "notify"))
    yield m
    m.close()


def told(sluice, manager, config, *args, ready=True, **environment):
    return sluice.http(config, *args, ready=ready, env=clean_env(NOTIFY_SOCKET=manager.name, **environment))


# notifications


def test_ready_is_told_when_the_start_is_over_and_not_before(sluice, manager, tmp_path):
    late = fake(init_delay=0.8, more={"startup": "required"})
    s = told(sluice, manager, servers(late=late), ready=False)
    status = manager.wait("STATUS")["STATUS"]
    assert status.startswith("starting: 0 of 1 servers connected") and "waiting for late" in status
    with s.connect() as c:
        assert c.exchange("GET", "/readyz").status == 503
    assert not manager.having("READY")
    manager.wait("READY", "1")
    with s.connect() as c:
        assert c.exchange("GET", "/readyz").status == 200
    wait_until(lambda: manager.having("STATUS")[-1]["STATUS"] == "ready: 1 of 1 servers connected, 0 calls in flight")
    assert manager.states() == ["READY"]


@pytest.mark.parametrize(
    "more, seconds", [({"startupTimeout": "90s"}, 100), ({"startup": "eager", "startupTimeout": "90s"}, 10)]
)
def test_the_start_may_take_as_long_as_a_required_server_may(sluice, manager, more, seconds):
    told(sluice, manager, servers(ex=example(**{"startup": "required", **more})))
    assert manager.wait("EXTEND_TIMEOUT_USEC")["EXTEND_TIMEOUT_USEC"] == str(seconds * 10**6)


def test_its_own_deadline_comes_before_the_managers(sluice, manager):
    s = told(
        sluice, manager, servers(dumb=fake(dumb=True, more={"startup": "required"}), lifecycle={"startDeadline": "500ms"}), ready=False
    )
    s.expected_codes = {69}
    assert manager.wait("EXTEND_TIMEOUT_USEC")["EXTEND_TIMEOUT_USEC"] == str(10_500_000)
    assert s.wait() == 69 and "READY" not in manager.states()


def test_a_reload_is_told_at_both_ends(sluice, manager):
    s = told(sluice, manager, servers(ex=example()))
    manager.wait("READY")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    s.signal(SIGHUP)
    manager.wait("READY", count=2)
    reloading = manager.having("RELOADING", "1")
    assert len(reloading) == 1 and manager.states() == ["READY", "RELOADING", "READY"]
    assert before <= int(reloading[0]["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_reload_that_is_refused_or_ignored_ends_too(sluice, manager):
    s = sluice.http(
        servers(ex=example(), lifecycle={"lameDuck": {"min": "0s", "max": "0s"}}),
        admin="127.0.0.1:0",
        env=clean_env(NOTIFY_SOCKET=manager.name),
    )
    manager.wait("READY")
    path = next(sluice.directory.glob("servers-*.json"))
    good = path.read_text()
    replace(path, '{"mcpServers": {"ex": {"comand": "x"}}}')
    s.log.wait("reload_failed")
    manager.wait("READY", count=2)
    replace(path, good)
    manager.wait("READY", count=3)
    with Connection(s.admin) as c:
        assert c.exchange("POST", "/drain").status == 200
    s.signal(SIGHUP)
    s.log.wait("reload_ignored")
    manager.wait("READY", count=4)
    assert manager.states() == ["READY", *["RELOADING", "READY"] * 3]


def test_a_reload_at_the_start_does_not_make_it_ready(sluice, manager):
    s = told(sluice, manager, servers(late=fake(init_delay=1.0, more={"startup": "required"})), ready=False)
    s.signal(SIGHUP)
    s.log.wait("reload_unchanged")
    assert manager.states() == []
    manager.wait("READY")
    assert manager.states() == ["READY"]


def test_a_stop_is_told_with_the_time_that_it_may_take(sluice, manager):
    lame = {"min": "300ms", "quiet": "0s", "max": "1s"}
    s = told(sluice, manager, servers(ex=example(), lifecycle={"gracePeriod": "100s", "margin": "2s", "lameDuck": lame}))
    manager.wait("READY")
    with s.client() as c:
        pending = c.in_background(call("long", "ex__sleep", {"ms": 1200}), 30 * PATIENCE)
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        s.signal(SIGTERM)
        stopping = manager.wait("STOPPING", "1")
        assert 95e6 < int(stopping["EXTEND_TIMEOUT_USEC"]) <= 101e6
        assert unwrap(pending.join())
    assert s.wait() == 0
    assert manager.states() == ["READY", "STOPPING"]
    phases = [m["STATUS"].split(":")[0] for m in manager.having("STATUS")]
    order = [phase for n, phase in enumerate(phases) if n == 0 or phases[n - 1] != phase]
    assert order[-4:] == ["lame_duck", "draining", "stopping_backends", "exiting"]


def test_a_stop_during_the_start_is_a_stop(sluice, manager):
    s = told(sluice, manager, servers(dumb=fake(dumb=True, more={"startup": "required"})), ready=False)
    manager.wait("STATUS")
    assert s.terminate() == 0
    assert manager.states() == ["STOPPING"]


def test_a_drain_that_can_be_called_off_is_no_stop(sluice, manager):
    s = sluice.http(servers(ex=example()), admin="127.0.0.1:0", env=clean_env(NOTIFY_SOCKET=manager.name))
    with Connection(s.admin) as c:
        assert c.exchange("POST", "/drain").status == 200
        wait_until(lambda: manager.having("STATUS")[-1]["STATUS"].startswith("lame_duck"))
        assert c.exchange("POST", "/drain?cancel=1").status == 200
    wait_until(lambda: manager.having("STATUS")[-1]["STATUS"].startswith("ready"))
    assert manager.states() == ["READY"]


def test_an_abstract_socket_will_do(sluice, tmp_path):
    manager = Manager(f"@sluice-test-{tmp_path.name}-{time.monotonic_ns()}")
    try:
        told(sluice, manager, servers(ex=example()))
        manager.wait("READY")
    finally:
        manager.close()


def test_over_stdio_it_is_told_too(sluice, manager):
    s = sluice.stdio(servers(ex=example()), env=clean_env(NOTIFY_SOCKET=manager.name))
    manager.wait("READY")
    s.process.stdin.close()
    assert s.wait() == 0 and manager.states() == ["READY", "STOPPING"]


@pytest.mark.parametrize("name", ["/nowhere/at/all", "vsock:2:1234", "x" * 200])
def test_a_manager_that_is_not_there_changes_nothing(sluice, name):
    s = sluice.http(servers(ex=example()), env=clean_env(NOTIFY_SOCKET=name))
    assert s.log.find("notify_failed") or s.log.find("notify_off")
    assert s.terminate() == 0


# watchdog


def test_the_watchdog_hears_from_the_loop_as_long_as_it_turns(sluice, manager):
    s = told(sluice, manager, servers(ex=example()), WATCHDOG_USEC="400000")
    manager.wait("WATCHDOG", "1", count=4)
    at = [m["at"] for m in manager.having("WATCHDOG")]
    assert at[3] - at[0] > 0.2  # every 200 ms, seen by a reader that may be late
    s.signal(SIGSTOP)
    time.sleep(0.2)
    count = len(manager.having("WATCHDOG"))
    time.sleep(0.8)
    assert len(manager.having("WATCHDOG")) == count
    s.signal(SIGCONT)
    manager.wait("WATCHDOG", count=count + 2)


def test_the_watchdog_is_fed_until_the_end(sluice, manager):
    lame = {"min": "1s", "quiet": "0s", "max": "1s"}
    s = told(sluice, manager, servers(ex=example(), lifecycle={"lameDuck": lame}), WATCHDOG_USEC="200000")
    s.signal(SIGTERM)
    stopping = manager.wait("STOPPING")
    assert s.wait() == 0
    assert len([m for m in manager.having("WATCHDOG") if m["at"] > stopping["at"]]) >= 4


def test_a_watchdog_of_another_process_is_not_ours(sluice, manager):
    told(sluice, manager, servers(ex=example()), WATCHDOG_USEC="100000", WATCHDOG_PID="1")
    manager.wait("READY")
    time.sleep(0.3)
    assert not manager.having("WATCHDOG")


# sockets that are handed over


def listening(host="127.0.0.1", backlog=512):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    s.bind((host, 0))
    s.listen(backlog)
    return s


def address_of(s):
    return "{}:{}".format(*s.getsockname()[:2])


def activated(sluice, config, sockets, *args, names="-", ready=True, env=None, command=("serve", "--http")):
    """A gateway that inherits the sockets."""
    fds = [s.fileno() for s in sockets]
    wrap = [sys.executable, "-S", "-E", ACTIVATOR, ",".join(map(str, fds)), names]
    path = sluice.write(config)
    s = sluice.run(*command, "--config", path, "--log-format", "json", *args, wrap=wrap, pass_fds=fds, env=env)
    return s.wait_listening().wait_ready() if ready else s


def test_sockets_are_known_by_their_names(sluice):
    main, admin = listening(), listening()
    s = activated(sluice, servers(ex=example()), [admin, main], names="admin:http", ready=False)
    s.wait_listening(admin=True).wait_ready()
    assert (s.address, s.admin) == (address_of(main), address_of(admin))
    assert s.log.find("listening")[0]["inherited"] is True
    assert s.get("/status", admin=True).json()["phase"] == "ready"
    with s.client() as c:
        assert c.text("ex__echo", {"text": "hi"}) == "hi"


def test_a_single_socket_is_the_main_port_whatever_its_name(sluice):
    for names in ("-", "sluice.socket"):
        main = listening()
        s = activated(sluice, servers(ex=example()), [main], "--admin", "off", names=names)
        assert s.address == address_of(main)


def test_who_has_waited_in_the_socket_is_served(sluice):
    main = listening()
    early = [Connection(address_of(main)) for _ in range(20)]
    for c in early:
        c.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    activated(sluice, servers(ex=example()), [main], "--admin", "off")
    for c in early:
        assert c.response().status == 200
        c.close()


def test_ours_alone_are_taken(sluice):
    """LISTEN_PID is somebody else's: what stands at descriptor 3 is not touched."""
    s = sluice.http(servers(ex=example()), env=clean_env(LISTEN_PID="1", LISTEN_FDS="1", LISTEN_FDNAMES="http"))
    assert s.log.find("listening")[0]["inherited"] is False


@pytest.mark.parametrize("what", ["a file", "not listening", "datagram", "unix", "two of them"])
def test_what_cannot_be_served_is_said_and_nothing_else_is_begun(sluice, tmp_path, what):
    sockets = {
        "a file": lambda: [open(tmp_path / "x", "w")],
        "not listening": lambda: [socket.socket()],
        "datagram": lambda: [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)],
        "unix": lambda: [listening_unix(tmp_path)],
        "two of them": lambda: [listening(), listening()],
    }[what]()
    s = activated(sluice, servers(ex=example()), sockets, ready=False)
    s.expected_codes = {69}
    assert s.wait() == 69
    said = s.log.find("start_failed")[0]["error"]
    assert ("two sockets" in said) == (what == "two of them") and "handed over" in said


def listening_unix(folder):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(str(folder / "unix"))
    s.listen()
    return s


def test_what_is_open_to_others_must_be_meant(sluice):
    s = activated(sluice, servers(ex=example()), [listening("0.0.0.0")], ready=False)
    s.expected_codes = {64}
    assert s.wait() == 64 and "--insecure" in s.log.find("start_failed")[0]["error"]
    s = activated(sluice, servers(ex=example()), [listening("0.0.0.0")], "--insecure", "--admin", "off", ready=False)
    s.wait_listening()


def test_a_socket_that_is_not_served_is_told_of(sluice):
    config = servers(ex=example())
    s = activated(sluice, config, [listening(), listening()], "--admin", "off", names="http:admin")
    assert s.log.wait("socket_unused")["needs"] == "--admin"


def test_tls_on_an_inherited_socket(sluice):
    context, pair = certificates()
    main = listening()
    http_client.TLS[address_of(main)] = context
    config = servers(ex=example(), http={"tls": {"cert": str(pair.cert), "key": str(pair.key)}})
    s = activated(sluice, config, [main], "--admin", "off")
    assert s.log.find("listening")[0]["tls"] is True
    with s.client() as c:
        assert c.text("ex__echo", {"text": "hi"}) == "hi"


def test_nothing_of_it_is_passed_on_to_servers(sluice, manager):
    ours = "NOTIFY_SOCKET LISTEN_PID LISTEN_FDS LISTEN_FDNAMES WATCHDOG_USEC WATCHDOG_PID".split()
    config = servers(f=fake(more={"inheritEnv": ours}))
    env = clean_env(NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="60000000")
    s = activated(sluice, config, [listening()], "--admin", "off", names="http", env=env)
    with s.client() as c:
        assert [name for name in ours if name in c.text("f__env")] == []


# restarts


class Knocker(threading.Thread):
    """Connects without a pause, a request for each connection, and writes down what came of each."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.statuses, self.faults, self.ended = address, [], [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                with Connection(self.address, timeout=20 * PATIENCE) as c:
                    self.statuses.append(c.exchange("GET", "/livez").status)
            except (OSError, http_client.Closed, TimeoutError) as e:
                self.faults.append(repr(e))

    def end(self):
        self.ended.set()
        self.join(20 * PATIENCE)
        return self.statuses, self.faults


@pytest.mark.parametrize("tls", [False, True])
def test_a_restart_refuses_and_resets_nobody(sluice, tls):
    """As systemd does it: the old process has ended before the new one begins, and holds the socket all the time."""
    main, http = listening(), None
    if tls:
        context, pair = certificates()
        http_client.TLS[address_of(main)] = context
        http = {"tls": {"cert": str(pair.cert), "key": str(pair.key)}}
    config = servers(ex=example(), http=http)
    old = activated(sluice, config, [main], "--admin", "off")
    knockers = [Knocker(address_of(main)) for _ in range(3)]
    for _ in range(3):
        wait_until(lambda: all(k.statuses for k in knockers))
        assert old.terminate() == 0
        for k in knockers:
            k.statuses.clear()
        old = activated(sluice, config, [main], "--admin", "off")
    wait_until(lambda: all(k.statuses for k in knockers))
    for k in knockers:
        statuses, faults = k.end()
        assert faults == [] and set(statuses) == {200}


def test_the_old_one_finishes_its_calls_beside_the_new_one(sluice):
    """Two processes accept from one socket; the old one ends, and the new one never notices."""
    main = listening()
    config = servers(ex=example(), lifecycle={"lameDuck": {"min": "200ms", "quiet": "0s", "max": "200ms"}})
    old = activated(sluice, config, [main], "--admin", "off")
    with old.client() as c:
        pending = c.in_background(call("long", "ex__sleep", {"ms": 1000}), 30 * PATIENCE)
        wait_until(lambda: old.health()["in_flight"] == 1, what="the call in flight")
        new = activated(sluice, config, [main], "--admin", "off")
        knockers = [Knocker(address_of(main)) for _ in range(2)]
        old.signal(SIGTERM)
        assert unwrap(pending.join())
    assert old.wait() == 0
    for k in knockers:
        k.statuses.clear()
    wait_until(lambda: all(len(k.statuses) > 20 for k in knockers), what="answers of the new one")
    for k in knockers:
        statuses, faults = k.end()
        assert faults == [] and set(statuses) == {200}
    with McpHttp(new.address).initialize() as c:
        assert text_of(unwrap(c.post(ECHO).json())) == "hello"
