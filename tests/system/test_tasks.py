"""Tasks: of 2025-11-25 and of the extension of 2026-07-28, for clients of the same era (docs/clients.md)."""

import pytest

from asking import ALL, FORM, ACCEPTED, reply
from fake_http_server import FakeHttpServer
from harness import fake, servers, wait_until
from mcp_client import RpcError, request, text_of
from modern_client import PREFIX, ModernHttp, modern

RELATED = PREFIX + "related-task"
TASKS = {"extensions": {PREFIX + "tasks": {}}}
REQUIRED = {"name": "slow", "inputSchema": {"type": "object"}, "execution": {"taskSupport": "required"}}


@pytest.fixture
def gateway(sluice):
    s = sluice.http(servers(f=fake(tasks=True, tools=[REQUIRED]), g=fake(tasks=True), plain=fake()))
    with s.client() as c:
        c.tool_names()  # all of them are up then
    return s


@pytest.fixture
def c(gateway):
    with gateway.client(capabilities=ALL) as client:
        yield client


def begin(client, tool, arguments=None, ttl=60000):
    return client.request("tools/call", {"name": tool, "arguments": arguments or {}, "task": {"ttl": ttl}})["task"]


def error_of(call, *arguments, **more):
    with pytest.raises(RpcError) as e:
        call(*arguments, **more)
    return e.value


def test_tasks_are_offered_to_those_who_know_them(gateway, c):
    assert c.hello["capabilities"]["tasks"] == {"cancel": {}, "requests": {"tools": {"call": {}}}}
    with gateway.client(path="/mcp/server/f") as one:
        assert one.hello["capabilities"]["tasks"] == {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
    with gateway.client(path="/mcp/server/plain") as one:
        assert "tasks" not in one.hello["capabilities"]
    with gateway.client(revision="2025-06-18") as old:
        assert "tasks" not in old.hello["capabilities"]


def test_a_call_becomes_a_task_and_its_result_is_fetched(c):
    first, second = begin(c, "f__echo", {"text": "one"}), begin(c, "g__echo", {"text": "two"})
    assert (first["taskId"], second["taskId"]) == ("f__task-1", "g__task-1")
    assert first["ttl"] == 60000
    for task, text in ((first, "one"), (second, "two")):
        result = c.request("tasks/result", {"taskId": task["taskId"]})
        assert text_of(result) == text and result["_meta"][RELATED] == {"taskId": task["taskId"]}
        assert c.request("tasks/get", {"taskId": task["taskId"]}) == {**task, "status": "completed"}


def test_the_result_is_waited_for_beyond_the_timeout_of_requests(sluice):
    s = sluice.http(servers(f=fake(tasks=True, more={"requestTimeout": "200ms", "maxRequestTimeout": "30s"})))
    with s.client() as c:
        c.tool_names()
        task = begin(c, "f__sleep", {"ms": 700})
        assert text_of(c.request("tasks/result", {"taskId": task["taskId"]})) == "slept"


def test_a_task_is_cancelled(c):
    task = begin(c, "f__sleep", {"ms": 60000})
    waits = c.in_background(request(77, "tasks/result", {"taskId": task["taskId"]}))
    assert c.request("tasks/cancel", {"taskId": task["taskId"]})["status"] == "cancelled"
    assert waits.join()["error"]["message"] == "the task was cancelled"
    assert error_of(c.request, "tasks/cancel", {"taskId": task["taskId"]}).code == -32602


def test_ids_that_nobody_gave_out_are_unknown(c):
    for id in ("task-1", "h__task-1", "f__task-99", ""):
        assert error_of(c.request, "tasks/get", {"taskId": id}).code == -32602, id


def test_lists_are_those_of_one_server(gateway, c):
    begin(c, "f__echo")
    assert error_of(c.request, "tasks/list").code == -32601
    with gateway.client(path="/mcp/server/f") as one:
        assert [t["taskId"] for t in one.request("tasks/list")["tasks"]] == ["task-1"]
        assert one.request("tasks/get", {"taskId": "task-1"})["taskId"] == "task-1"


def test_a_tool_that_is_only_a_task_is_refused_with_a_reason_to_those_who_cannot(gateway, c):
    with gateway.client(revision="2025-06-18") as old:
        assert "task" in str(error_of(old.call, "f__slow"))
    with ModernHttp(gateway.address) as m:
        assert "task" in str(error_of(m.call, "f__slow", capabilities=TASKS))
    assert text_of(c.request("tasks/result", {"taskId": begin(c, "f__slow")["taskId"]})) == "{}"


def test_status_goes_to_whose_task_it_is(gateway, c):
    with gateway.client() as other:
        mine, others = c.get_stream(), other.get_stream()
        task = begin(c, "f__sleep", {"ms": 100})
        status = mine.next_message()
        assert status["method"] == "notifications/tasks/status"
        assert status["params"]["taskId"] == task["taskId"] and status["params"]["status"] == "completed"
        theirs = begin(other, "f__echo")
        assert others.next_message()["params"]["taskId"] == theirs["taskId"]


def makes_progress(client, tool, steps, token="p"):
    """A task whose server tells of its progress, and the id that the client knows it by."""
    line = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$TOKEN,"progress":%d,"_meta":{"%s":{"taskId":$ID}}}}'
    steps = [{"line": line % (step, RELATED)} if isinstance(step, int) else step for step in steps]
    params = {"name": tool, "arguments": {"steps": steps}, "task": {"ttl": 60000}, "_meta": {"progressToken": token}}
    return client.request("tools/call", params)["task"]["taskId"]


def progress_of(message):
    assert message["method"] == "notifications/progress", message
    params = message["params"]
    return params["progressToken"], params["progress"], params["_meta"][RELATED]["taskId"]


def test_progress_goes_on_after_the_answer_that_made_the_task(gateway, c):
    with gateway.client(capabilities=ALL) as other:
        mine, others = c.get_stream(), other.get_stream()
        task = makes_progress(c, "f__script", [1, {"wait": 50}, 2, {"answer": "done"}, 3])
        assert [progress_of(mine.next_message()) for _ in range(2)] == [("p", 1, task), ("p", 2, task)]
        status = mine.next_message()  # the task is over, and what its server says of its progress after that is for nobody
        assert status["method"] == "notifications/tasks/status" and status["params"]["status"] == "completed"
        theirs = makes_progress(other, "f__script", [1, {"answer": "done"}], token=7)
        assert progress_of(others.next_message()) == (7, 1, theirs)
        assert others.next_message()["params"]["taskId"] == theirs
        begin(c, "f__echo")
        assert mine.next_message()["params"]["taskId"] == "f__task-3"


def test_progress_comes_on_the_stream_of_who_waits_for_the_result_if_no_other_is_open(c):
    task = makes_progress(c, "f__script", [{"wait": 500}, 1, {"answer": "done"}])
    waits = c.in_background(request(9, "tasks/result", {"taskId": task}))
    assert text_of(waits.join()["result"]) == "done"
    messages = waits.client.notifications
    assert progress_of(messages[0]) == ("p", 1, task)
    assert messages[1]["method"] == "notifications/tasks/status" and messages[1]["params"]["taskId"] == task


def test_what_a_task_asks_goes_to_whose_task_it_is_whoever_else_is_at_work(gateway, c):
    with gateway.client(capabilities=ALL) as other:
        stream = c.get_stream()
        slow = other.in_background(request(5, "tools/call", {"name": "f__sleep", "arguments": {"ms": 1000}}))
        wait_until(lambda: gateway.health()["in_flight"] == 1, what="a call in flight")
        task = begin(c, "f__ask", {"method": "elicitation/create", "params": FORM})
        question = stream.next_message()
        assert question["params"] == {**FORM, "_meta": {RELATED: {"taskId": task["taskId"]}}}
        reply(c, question, {**ACCEPTED, "_meta": question["params"]["_meta"]})
        answer = text_of(c.request("tasks/result", {"taskId": task["taskId"]}))
        assert '"name":"Ann"' in answer and '"taskId":"task-' in answer
        assert slow.join()["result"]


def test_tasks_of_a_process_of_ones_own_are_ones_own(sluice):
    entry = fake(tasks=True, more={"isolation": "session"})
    s = sluice.http(servers(f=entry))
    with s.client() as a, s.client() as b:
        a.tool_names()
        task = begin(a, "f__echo", {"text": "a"})
        assert error_of(b.request, "tasks/get", {"taskId": task["taskId"]}).code == -32602
        assert text_of(a.request("tasks/result", {"taskId": task["taskId"]})) == "a"


def test_progress_comes_from_a_process_of_ones_own(sluice):
    s = sluice.http(servers(f=fake(tasks=True, more={"isolation": "session"})))
    with s.client() as a, s.client() as b:
        a.tool_names()
        streams = [(client.get_stream(), makes_progress(client, "f__script", [1, {"answer": "done"}], token=token), token)
                   for client, token in ((a, "a"), (b, "b"))]
        for stream, task, token in streams:
            assert progress_of(stream.next_message()) == (token, 1, task)


def test_a_server_alone_keeps_its_ids(sluice):
    s = sluice.http(servers(f=fake(tasks=True), namespace="never"))
    with s.client() as c:
        c.tool_names()
        assert begin(c, "echo")["taskId"] == "task-1"
        assert c.request("tasks/list")["tasks"][0]["taskId"] == "task-1"
        assert c.request("tasks/result", {"taskId": "task-1"})["_meta"][RELATED] == {"taskId": "task-1"}


# the extension of 2026-07-28


@pytest.fixture
def site():
    with FakeHttpServer("modern", tasks=True) as server:
        yield server


@pytest.fixture
def m(sluice, site):
    s = sluice.http(servers(f=site.entry(), old=fake(tasks=True)))
    with ModernHttp(s.address) as client:
        client.ask("tools/list")
        client.gateway = s
        yield client


def test_the_extension_is_offered_to_modern_clients_only(m):
    assert m.ask("server/discover")["capabilities"]["extensions"] == {PREFIX + "tasks": {}}
    with m.gateway.client(path="/mcp/server/f") as c:
        assert not {"tasks", "extensions"} & set(c.hello["capabilities"])
    with m.gateway.client(path="/mcp/server/old") as c:
        assert "tasks" in c.hello["capabilities"]


def test_a_task_of_the_extension(m):
    task = m.call("f__sleep", {"ms": 1}, capabilities=TASKS)
    assert (task["resultType"], task["taskId"], task["status"]) == ("task", "f__task-1", "input_required")
    m.ask("tasks/update", {"taskId": "f__task-1", "inputResponses": {"a": {}}}, capabilities=TASKS)
    done = m.ask("tasks/get", {"taskId": "f__task-1"}, capabilities=TASKS)
    assert (done["resultType"], done["taskId"], done["status"], done["result"]) == ("complete", "f__task-1", "completed", {"a": {}})
    assert m.ask("tasks/cancel", {"taskId": "f__task-1"}, capabilities=TASKS)["resultType"] == "complete"


def test_what_the_extension_does_not_have(m):
    status, error = m.error(modern(1, "tasks/get", {"taskId": "f__task-1"}))
    assert (status, error["code"]) == (400, -32021)
    assert error["data"] == {"requiredCapabilities": TASKS}
    for method in ("tasks/list", "tasks/result"):
        status, error = m.error(modern(1, method, {"taskId": "f__task-1"}, capabilities=TASKS))
        assert (status, error["code"]) == (404, -32601)
    status, error = m.error(modern(1, "tasks/get", {"taskId": "f__task-1"}, capabilities=TASKS), mcp_name="f__task-2")
    assert (status, error["code"]) == (400, -32020)
    assert error_of(m.ask, "tasks/get", {"taskId": "f__none"}, capabilities=TASKS).code == -32602


def test_without_the_extension_a_call_is_a_call(m, site):
    assert text_of(m.call("f__sleep", {"ms": 1})) == "slept"
    assert text_of(m.call("old__sleep", {"ms": 1}, capabilities=TASKS)) == "slept"
    with m.gateway.client() as c:
        result = c.request("tools/call", {"name": "f__sleep", "arguments": {"ms": 1}, "task": {"ttl": 5}})
        assert text_of(result) == "slept"
    assert all("task" not in r.params for r in site.seen("tools/call"))


# listening for tasks of the extension


def ids_of(ack):
    assert ack["method"] == "notifications/subscriptions/acknowledged"
    return ack["params"]["notifications"].get("taskIds")


def test_a_listen_hears_of_the_tasks_that_its_server_agrees_to(m, site):
    for _ in range(2):
        m.call("f__sleep", {"ms": 1}, capabilities=TASKS)
    wanted = ["f__task-1", "f__task-9", "old__task-1", "none__task-1", "task-1"]
    stream, ack = m.listen(7, capabilities=TASKS, taskIds=wanted)
    assert ids_of(ack) == ["f__task-1"]
    both, ack = m.listen("both", capabilities=TASKS, taskIds=["f__task-2", "f__task-1"], toolsListChanged=True)
    assert ids_of(ack) == ["f__task-2", "f__task-1"]
    m.ask("tasks/update", {"taskId": "f__task-2", "inputResponses": {}}, capabilities=TASKS)
    m.ask("tasks/update", {"taskId": "f__task-1", "inputResponses": {"a": {}}}, capabilities=TASKS)
    news = stream.next_message()
    assert (news["method"], news["params"]["taskId"], news["params"]["status"]) == ("notifications/tasks", "f__task-1", "completed")
    assert news["params"]["_meta"] == {PREFIX + "subscriptionId": 7} and news["params"]["result"] == {"a": {}}
    heard = [both.next_message()["params"] for _ in range(2)]
    assert [h["taskId"] for h in heard] == ["f__task-2", "f__task-1"]
    assert all(h["_meta"] == {PREFIX + "subscriptionId": "both"} for h in heard)
    for one in (stream, both):
        one.connection.reset()
    site.wait(lambda: "taskIds" not in site.seen("subscriptions/listen")[-1].params["notifications"])


def test_a_server_that_does_not_say_what_it_honours_is_taken_to_honour_all(sluice):
    with FakeHttpServer("modern", tasks=True, acks_without_filter=True) as site:
        s = sluice.http(servers(f=site.entry()))
        with ModernHttp(s.address) as m:
            m.ask("tools/list")
            assert ids_of(m.listen("l", capabilities=TASKS, taskIds=["f__any"])[1]) == ["f__any"]


def test_at_its_own_path_ids_are_those_of_the_server(m):
    m.call("f__sleep", {"ms": 1}, capabilities=TASKS)
    with ModernHttp(m.gateway.address, "/mcp/server/f") as one:
        stream, ack = one.listen("l", capabilities=TASKS, taskIds=["task-1", "f__task-1"])
        assert ids_of(ack) == ["task-1"]
        one.ask("tasks/cancel", {"taskId": "task-1"}, capabilities=TASKS)
        assert stream.next_message()["params"]["taskId"] == "task-1"


def test_who_listens_for_tasks_declares_the_extension(m):
    status, error = m.error(modern(1, "subscriptions/listen", {"notifications": {"taskIds": ["f__task-1"]}}))
    assert (status, error["code"], error["data"]) == (400, -32021, {"requiredCapabilities": TASKS})
    status, error = m.error(modern(1, "subscriptions/listen", {"notifications": {"taskIds": "f__task-1"}}, capabilities=TASKS))
    assert (status, error["code"]) == (200, -32602)


def test_a_listen_for_tasks_ends_with_a_result_when_the_gateway_stops(m):
    m.call("f__sleep", {"ms": 1}, capabilities=TASKS)
    stream, _ = m.listen(7, capabilities=TASKS, taskIds=["f__task-1"])
    m.gateway.signal(2)
    end = stream.next_message()
    assert end["id"] == 7 and end["result"]["resultType"] == "complete"
    assert end["result"]["_meta"][PREFIX + "subscriptionId"] == 7


def test_a_listen_for_tasks_of_a_server_over_stdio(sluice):
    s = sluice.http(servers(f=fake(era="modern", extension=True, no_updates=["t2"])))
    with ModernHttp(s.address) as m:
        m.ask("tools/list")
        stream, ack = m.listen("l", capabilities=TASKS, taskIds=["f__t1", "f__t2"])
        assert ids_of(ack) == ["f__t1"]
        news = [{"news": {"method": "notifications/tasks", "params": {"taskId": id, "status": "working"}}} for id in ("t2", "t1")]
        m.call("f__script", {"steps": [*news, {"answer": "done"}]})
        assert stream.next_message()["params"] == {"taskId": "f__t1", "status": "working", "_meta": {PREFIX + "subscriptionId": "l"}}
