"""The kit itself: the kubelet's arithmetic with worked examples, and its parts against gateways of a few lines."""

import asyncio
import signal
import sys
import textwrap

import pytest

from kit import client, endpoints, grace, kubelet, score, wire
from kit.cluster import Cluster
from kit.endpoints import Endpoint
from kit.kubelet import Hook, PodSpec, Probe

# --- arithmetic ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said, effective",
    [((30,), 30), ((30, 5), 5), ((5, 30), 5), ((60, 15), 15), ((0,), 1), ((30, 0), 1)],
)
def test_the_shortest_grace_counts_and_never_less_than_a_second(said, effective):
    assert grace.effective_grace(*said) == effective


@pytest.mark.parametrize(
    "seconds, hook, left",
    [
        (30, 0, 30),
        (30, 5.0, 25),
        (30, 5.99, 25),  # the fraction is not deducted
        (30, 0.999, 30),
        (30, 27.9, 3),
        (30, 28.0, 2),
        (30, 29.5, 2),  # the floor
        (30, 30.0, 2),
        (1, 0, 2),  # the floor lengthens a grace of 1 s too
    ],
)
def test_a_hook_takes_its_whole_seconds_from_the_grace_and_leaves_at_least_two(seconds, hook, left):
    assert grace.after_hook(seconds, hook) == left


@pytest.mark.parametrize(
    "seconds, hook, notice, signal_at, kill_at",
    [
        (30, 0, 0, 0, 30),
        (30, 5, 0, 5, 30),
        (30, 5.9, 0, 5.9, 30.9),  # truncation: almost a second longer than the grace
        (30, 40, 0, 30, 32),  # abandoned at the end of the grace, and the one-off extension of 2 s
        (30, 5, 0.7, 5.7, 30.7),  # counted from when the kubelet sees it
        (10, 9, 0, 9, 11),
    ],
)
def test_signal_and_kill_come_at_these_times(seconds, hook, notice, signal_at, kill_at):
    assert grace.stop_plan(seconds, hook, notice) == grace.StopPlan(pytest.approx(signal_at), pytest.approx(kill_at))


def test_a_probe_turns_after_so_many_answers_in_a_row():
    t = grace.Threshold(failure=3, success=2)
    assert [t.feed(good) for good in (True, True)] == [False, True]
    assert [t.feed(good) for good in (False, False, True, False, False)] == [True] * 5
    assert not t.failed
    assert t.feed(False) is False and t.failed


def test_a_container_that_keeps_crashing_waits_twice_as_long_each_time_and_is_forgiven_after_ten_minutes():
    b = grace.Backoff()
    assert [b.after(1) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert [b.after(600), b.after(1)] == [0, 10]


def test_containerd_signals_once_and_later_orders_only_set_the_kill_timer():
    orders = grace.StopOrders()
    assert orders.stop(100, 30) and orders.kill_at == 130
    assert not orders.stop(110, 5) and orders.kill_at == 115
    assert not orders.stop(112, 30) and orders.kill_at == 142


def test_docker_signals_at_every_order():
    orders = grace.StopOrders(signals_again=True)
    assert orders.stop(0, 10) and orders.stop(1, 10)


def test_no_time_at_all_means_no_signal():
    assert not grace.StopOrders().stop(0, 0)


def test_new_connections_go_to_ready_endpoints_and_else_to_those_that_still_serve():
    ready = Endpoint("a", 1, True, True, False)
    leaving = Endpoint("b", 2, False, True, True)
    unready_leaving = Endpoint("c", 3, False, False, True)
    starting = Endpoint("d", 4, False, False, False)
    assert endpoints.choices([ready, leaving, starting]) == [ready]
    assert endpoints.choices([leaving, unready_leaving, starting]) == [leaving]
    assert endpoints.choices([unready_leaving, starting]) == []


def test_the_delays_of_proxies_are_drawn_and_are_the_same_for_the_same_seed():
    drawn = endpoints.draw_delays(7, 50)
    assert drawn == endpoints.draw_delays(7, 50) and set(drawn) == set(endpoints.DELAYS)
    assert max(endpoints.draw_delays(7, 50, longest=3)) == 3
    assert endpoints.draw_delays(7, 4, one_never_learns=True)[-1] is None


def test_events_are_cut_out_of_a_stream_and_what_has_only_begun_is_kept():
    text = b": hello\n\nevent: endpoint\ndata: /m?x=1\n\ndata: {}\r\n\r\ndata: {"
    assert wire.events(text) == ([("endpoint", "/m?x=1"), ("message", "{}")], b"data: {")


# --- gateways of a few lines ---------------------------------------------------------------------------------------

PRELUDE = """
import http.server, json, os, signal, subprocess, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): print(time.monotonic(), *_, flush=True)
    def answer(self, status, text=b"ok"):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def do_GET(self): self.answer(200)
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "id" not in message:
            return self.answer(202, b"")
        text = message["params"].get("arguments", {}).get("text")
        result = {"content": [{"type": "text", "text": text}]} if text else {"protocolVersion": "2025-06-18"}
        self.answer(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
def serve(): Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

SCALE = 0.1  # of these tests, whatever that of the scenarios is
READY = Probe("/readyz", period=1, timeout=20)


class Target:
    transport, path = "streamable", "/mcp"

    @staticmethod
    def tool(name):
        return name


def drill(tmp_path, body, run, delays=(0,), scale=SCALE, **spec):
    """Runs a gateway made of the prelude and `body` as a pod, waits until it is ready, and does `run(cluster, pod)`."""

    async def go():
        async with Cluster(tmp_path, scale, delays) as c:
            port = c.node.port()
            command = (sys.executable, "-S", "-E", "-c", PRELUDE + textwrap.dedent(body), str(port))
            settings = {"readiness": READY, **spec}
            pod = c.add(PodSpec("pod", command, port, **settings))
            await c.settle([pod], 200)
            return await run(c, pod)

    return asyncio.run(go())


IGNORES_TERM = "signal.signal(signal.SIGTERM, lambda *_: print('TERM', flush=True))\nserve()"
OBEYS_TERM = "signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\nserve()"


async def delete_and_wait(c, pod, seconds=None):
    pod.delete(seconds)
    return await c.gone(pod)


def test_who_ignores_the_signal_is_killed_when_the_grace_is_over(tmp_path):
    async def run(c, pod):
        await delete_and_wait(c, pod, 10)
        assert pod.times("signalled") == 1 and pod.times("killed") == 1
        assert pod.process.exited.result() == -signal.SIGKILL
        assert 9.9 < pod.when("killed") - pod.when("deleted") < 14

    drill(tmp_path, IGNORES_TERM, run)


def test_a_hook_that_sleeps_delays_the_signal_and_takes_from_the_grace(tmp_path):
    async def run(c, pod):
        await delete_and_wait(c, pod)
        assert 4.9 < pod.when("signalled") - pod.when("deleted") < 9
        assert [detail for _, what, detail in pod.events if what == "stop"][0] in (25, 24)
        assert pod.process.exited.result() == 0

    drill(tmp_path, OBEYS_TERM, run, pre_stop=Hook(sleep=5))


def test_a_hook_longer_than_the_grace_is_abandoned_and_leaves_two_seconds(tmp_path):
    async def run(c, pod):
        await delete_and_wait(c, pod, 3)
        assert pod.times("hook_abandoned") == 1
        assert [detail for _, what, detail in pod.events if what == "stop"] == [2]

    drill(tmp_path, OBEYS_TERM, run, pre_stop=Hook(command=("sleep", "60")))


@pytest.mark.parametrize("path, fails", [("/hook", False), ("/missing", True)])
def test_an_http_hook_fails_for_want_of_an_answer_and_not_by_its_status(tmp_path, path, fails):
    body = """
        def get(self):
            if self.path == "/missing": return self.connection.close()
            self.answer(503 if self.path == "/hook" else 200)
        Handler.do_GET = get
        """

    async def run(c, pod):
        await delete_and_wait(c, pod)
        assert (pod.times("hook_failed"), pod.times("hook_done")) == ((1, 0) if fails else (0, 1))
        assert pod.times("signalled") == 1  # all the same

    drill(tmp_path, textwrap.dedent(body) + OBEYS_TERM, run, pre_stop=Hook(path=path))


def test_an_exec_hook_fails_by_its_exit_code_or_when_it_is_not_there(tmp_path):
    async def run(c, pod):
        await delete_and_wait(c, pod)
        assert pod.times("hook_failed") == 1

    for command in (("false",), ("/no/such/program",)):
        drill(tmp_path, OBEYS_TERM, run, pre_stop=Hook(command=command))


@pytest.mark.parametrize("again, signals", [(False, 1), (True, 2)])
def test_a_shorter_deletion_sets_the_kill_timer_anew_and_only_docker_signals_again(tmp_path, again, signals):
    async def run(c, pod):
        pod.delete(100)
        await c.clock.sleep(2)
        pod.delete(200)  # longer: nothing
        pod.delete(5)
        await c.gone(pod)
        assert pod.times("signalled") == signals and pod.times("killed") == 1
        assert 6 < pod.when("killed") - pod.when("deleted") < 20

    drill(tmp_path, IGNORES_TERM, run, signals_again=again)


def test_a_kubelet_that_is_restarted_runs_the_hook_again_and_gives_the_full_grace_again(tmp_path):
    async def run(c, pod):
        pod.delete(20)
        await c.clock.sleep(8)
        pod.restart_kubelet()
        await c.gone(pod)
        assert pod.times("hook") == 2 and pod.times("signalled") == 1
        assert [detail for _, what, detail in pod.events if what == "stop"] == [18, 18]
        assert pod.when("killed") - pod.when("deleted") > 27.9

    drill(tmp_path, IGNORES_TERM, run, pre_stop=Hook(sleep=2.1))


def test_readiness_is_asked_until_the_end_and_liveness_only_until_the_deletion(tmp_path):
    body = """
        def get(self):
            print("probe", self.path, self.headers["User-Agent"], flush=True)
            self.answer(200)
        Handler.do_GET = get
        """

    async def run(c, pod):
        await c.clock.sleep(5)
        pod.delete(10)
        at_deletion = pod.process.log_text().count("/livez")
        await c.gone(pod)
        log = pod.process.log_text()
        assert "probe /livez kube-probe/" in log and log.count("probe /livez") <= at_deletion + 1
        after = log[log.index("TERM") :]
        assert after.count("probe /readyz") >= 3

    probes = {"liveness": Probe("/livez", period=1, timeout=20)}
    drill(tmp_path, textwrap.dedent(body) + IGNORES_TERM, run, **probes)


def test_a_container_that_fails_its_liveness_is_stopped_and_started_again(tmp_path):
    body = """
        began = time.monotonic()
        def get(self): self.answer(500 if self.path == "/livez" and time.monotonic() > began + 0.3 else 200)
        Handler.do_GET = get
        """

    async def run(c, pod):
        while pod.restarts < 2:
            await asyncio.sleep(0.01)
        assert pod.times("probe_kill") >= 2 and not pod.terminating
        assert [detail for _, what, detail in pod.events if what == "backoff"][:2] == [0, 10]

    probe = Probe("/livez", period=1, timeout=20, failure=2)
    drill(tmp_path, textwrap.dedent(body) + OBEYS_TERM, run, liveness=probe)


def test_a_descendant_that_left_its_session_and_its_environment_is_found(tmp_path):
    body = """
        if os.fork() == 0:
            os.setsid()
            if os.fork(): os._exit(0)
            os.execve("/bin/sleep", ["sleep", "1000"], {})
        """

    async def run(c, pod):
        left, ports = await delete_and_wait(c, pod)
        assert len(left) == 1 and not ports
        await c.node.sweep()
        assert c.left_by(pod)[0] == []

    drill(tmp_path, textwrap.dedent(body) + OBEYS_TERM, run)


def test_a_late_connection_is_refused_when_the_proxy_is_slow_and_goes_elsewhere_at_another(tmp_path):
    async def run(c, pod):
        port = c.node.port()
        other = c.add(PodSpec("other", (*pod.spec.command[:-1], str(port)), port, readiness=READY))
        await other.wait_ready(200)
        await c.clock.sleep(1)
        for proxy, known in zip(c.proxies, ("pod", "other")):
            proxy.delay, proxy.endpoints = None, tuple(e for e in proxy.endpoints if e.pod == known)
        await delete_and_wait(c, pod)
        someone = client.StreamableClient(c.clock, c.proxies, "c", 0)
        request = await someone.call("echo", {"text": "x"}, "x")
        assert [a.kind for a in request.attempts] == [client.REFUSED, client.OK]
        assert [a.pod for a in request.attempts] == ["pod", "other"]
        row = score.Score().count([request])
        assert (row.requests, row.first_try, row.after_retry, row.refused, row.lost) == (1, 0, 1, 1, 0)

    drill(tmp_path, OBEYS_TERM, run, delays=(0, 0))


def break_post(how):
    """A gateway whose answer to a call breaks in that way."""
    ways = {
        "reset": "self.connection.setsockopt(1, 13, b'\\x01\\0\\0\\0\\0\\0\\0\\0'); os._exit(1)",
        "eof": "self.connection.shutdown(2)",
        "truncated": "self.wfile.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: 50\\r\\n\\r\\n{'); self.connection.shutdown(2)",
        "empty": "self.answer(200, b'')",
        "unavailable": "self.send_response(503); self.send_header('Retry-After', '0'); self.send_header('Content-Length', '0'); self.end_headers()",
        "http_error": "self.answer(500)",
        "session": "self.answer(404)",
        "wrong": "self.answer(200, b'{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}')",
        "rpc_error": "self.answer(200, b'{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-1,\"message\":\"\",\"data\":{\"outcome\":\"unknown\"}}}')",
    }
    return f"""
        good = Handler.do_POST
        def post(self):
            text = self.rfile.peek(int(self.headers["Content-Length"]))
            if b"tools/call" not in text: return good(self)
            self.rfile.read(int(self.headers["Content-Length"]))
            {ways[how]}
        Handler.do_POST = post
        """


@pytest.mark.parametrize("how", ["reset", "eof", "truncated", "empty", "unavailable", "http_error", "session", "wrong", "rpc_error"])
def test_the_ledger_tells_how_an_answer_failed(tmp_path, how):
    async def run(c, _pod):
        someone = client.StreamableClient(c.clock, c.proxies, "c", 0)
        attempt = await someone.attempt(0, "echo", {"text": "x"}, "x")
        assert attempt.kind == how, attempt
        assert attempt.can_be_tried_again == (how in ("unavailable", "session"))

    drill(tmp_path, textwrap.dedent(break_post(how)) + OBEYS_TERM, run)
