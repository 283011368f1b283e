"""Merged lists and the way back from a name to its server: issue 2, item 5."""

import json

import pytest

from harness import example, fake, servers, wait_until
from mcp_client import RpcError, call, request

LISTS = [
    ("tools/list", "tools", "name"),
    ("resources/list", "resources", "uri"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ("prompts/list", "prompts", "name"),
]


def own(names, server):
    return [n for n in names if n.startswith(server + "__")]


@pytest.fixture
def two(sluice):
    """Two fakes, `zeta` before `alpha`: the order of the configuration is not that of the alphabet."""
    s = sluice.http(
        servers(
            zeta=fake(name="zeta", tools=["b", "a"], resources=["z://1", "both://x"], templates=["z://{id}"], prompts=["p2", "p1"]),
            alpha=fake(name="alpha", tools=["b"], resources=["both://x", "a://1"], templates=["a://{id}/x"], prompts=["p1"]),
        )
    )
    with s.client() as c:
        c.gateway = s
        yield c


# merging


def test_lists_come_in_the_order_of_the_configuration_and_of_the_server(two):
    names = two.tool_names()
    fakes = ["echo", "sleep", "script", "received", "pid", "env", "ask", "hello"]
    assert names == [f"zeta__{n}" for n in fakes + ["b", "a"]] + [f"alpha__{n}" for n in fakes + ["b"]]
    assert [p["name"] for p in two.list_all("prompts/list", "prompts")] == ["zeta__p2", "zeta__p1", "alpha__p1"]
    templates = two.list_all("resources/templates/list", "resourceTemplates")
    assert [t["uriTemplate"] for t in templates] == ["z://{id}", "a://{id}/x"]
    uris = [r["uri"] for r in two.list_all("resources/list", "resources")]
    assert uris == ["z://1", "both://x", "a://1"], "of two equal URIs the first in config order counts"


def test_the_prefix_is_there_with_one_server_too(sluice):
    s = sluice.http(servers(solo=fake()))
    with s.client() as c:
        assert c.tool_names()[0] == "solo__echo"


def test_the_order_stays_when_servers_start_in_another(sluice):
    s = sluice.http(servers(slow=example("--slow-start", 300), swift=example()))
    with s.client() as c:
        names = c.tool_names()
        assert names.index("slow__echo") < names.index("swift__echo")


def test_calls_prompts_and_completions_find_their_server(two):
    assert two.text("alpha__b", {"text": "x"}) == "x"
    prompt = two.request("prompts/get", {"name": "alpha__p1"})
    assert prompt["messages"][0]["content"]["text"] == "p1"
    values = two.request("completion/complete", {"ref": {"type": "ref/prompt", "name": "zeta__p2"}, "argument": {"name": "a", "value": ""}})
    assert json.loads(values["completion"]["values"][0]) == {"type": "ref/prompt", "name": "p2"}
    values = two.request("completion/complete", {"ref": {"type": "ref/resource", "uri": "a://{id}/x"}, "argument": {"name": "a", "value": ""}})
    assert json.loads(values["completion"]["values"][0])["uri"] == "a://{id}/x"
    seen = [json.loads(line) for line in json.loads(two.text("alpha__received"))]
    assert [m["params"]["name"] for m in seen if m.get("method") == "prompts/get"] == ["p1"]


def test_resources_find_their_server_by_uri_and_by_template(two):
    def read(uri):
        return two.request("resources/read", {"uri": uri})["contents"][0]["text"]

    assert read("z://1") == "zeta: z://1"
    assert read("a://1") == "alpha: a://1"
    assert read("both://x") == "zeta: both://x"
    assert read("z://any") == "zeta: z://any"
    assert read("a://77/x") == "alpha: a://77/x"


def test_an_unknown_resource_is_not_found_with_its_uri(two):
    with pytest.raises(RpcError) as e:
        two.request("resources/read", {"uri": "nobody://has/this"})
    assert e.value.code == -32002 and e.value.data["uri"] == "nobody://has/this"


def test_an_unlisted_resource_is_asked_for_at_each_server(sluice):
    """Servers may serve what they do not list."""
    s = sluice.http(servers(f=fake(resources=["f://1"]), ex=example()))
    with s.client() as c:
        assert c.request("resources/read", {"uri": "example://item/5"})["contents"][0]["uri"] == "example://item/5"


def test_a_server_without_resources_is_not_asked_for_one(sluice):
    """npm's server-filesystem would say -32601 of a method that the gateway has."""
    s = sluice.http(servers(f=fake(resources=["f://1"]), none=fake(tools=["received"])))
    with s.client() as c:
        with pytest.raises(RpcError) as e:
            c.request("resources/read", {"uri": "nobody://has/this"})
        assert e.value.code == -32002
        seen = [json.loads(line) for line in json.loads(c.text("none__received"))]
        assert not [m for m in seen if m.get("method") == "resources/read"]


def test_an_unknown_prompt_is_invalid_params(two):
    for name in ("p1", "nobody__p1", "alpha__no_such"):
        answer = two.post(request(1, "prompts/get", {"name": name})).json()
        if name != "alpha__no_such":  # the fake knows every prompt
            assert answer["error"]["code"] == -32602, name


def test_an_unlisted_tool_of_a_known_server_is_asked_for_there(two):
    """Its list may be old; the server's own error comes back."""
    with pytest.raises(RpcError) as e:
        two.call("zeta__hidden")
    assert e.value.code == -32602 and "Unknown tool: hidden" in e.value.error["message"]


def test_names_with_underscores_are_split_at_the_first_double_one(sluice):
    tools = ["_lead", "__both", "a__b", "trail_", "with-dash", "dot.ted", "ünïcode", "a/b"]
    s = sluice.http(servers(my_srv=fake(tools=tools)))
    with s.client() as c:
        names = c.tool_names()
        for tool in tools:
            assert f"my_srv__{tool}" in names
            assert c.text(f"my_srv__{tool}", {"text": tool}) == tool


# items as they are


def test_an_item_keeps_every_byte_but_its_name(sluice):
    tool = (
        '{ "title":"T\\u00e9st", "x-vendor" : {"n": 1.0, "big":12345678901234567890, "z":1, "a":2},"inputSchema":{"type":"object",'
        '"$defs":{"q":{"$anchor":"q"}},"additionalProperties" :false}, "name" :"odd","icons":[ {"src":"data:,\\/"}],"_meta":{"a/b":null}}'
    )
    listing = '{"jsonrpc":"2.0","id":$ID,"result":{"tools":[%s]}}' % tool
    knobs = {"on": {"tools/list": [{"line": listing}]}}
    s = sluice.http(servers(f=fake(knobs)))
    with s.client() as c:
        r = c.post(request(1, "tools/list"))
        assert tool.replace('"odd"', '"f__odd"').encode() in r.body


def test_names_that_are_escaped_or_doubled_are_handled(sluice):
    listing = (
        '{"jsonrpc":"2.0","id":$ID,"result":{"tools":['
        '{"name":"\\u0065cho","description":"name","inputSchema":{"name":"inner"}},'
        '{"name":"same","inputSchema":{}},{"name":"same","inputSchema":{}},'
        '{"nameless":1},{"name":5},"text",null,{"name":""}]}}'
    )
    s = sluice.http(servers(f=fake({"on": {"tools/list": [{"line": listing}]}}), ex=example()))
    with s.client() as c:
        names = c.tool_names()
        assert "f__echo" in names and "ex__echo" in names
        assert all(isinstance(n, str) for n in names) and names.count("f__same") in (1, 2)
        assert c.text("f__echo", {"text": "x"}) == "x"


# include, exclude, namespace


def test_include_and_exclude_are_globs_on_tool_names(sluice):
    entry = fake(tools=["get_a", "get_b", "set_a", "get_secret"], more={"include": ["get_*", "echo"], "exclude": ["*secret*"]})
    s = sluice.http(servers(f=entry))
    with s.client() as c:
        assert sorted(c.tool_names()) == ["f__echo", "f__get_a", "f__get_b"]
        assert c.text("f__get_a", {"text": "x"}) == "x"
        for hidden in ("f__set_a", "f__get_secret"):
            assert c.post(call(1, hidden)).json()["error"]["code"] == -32602


def test_a_disabled_server_is_left_out(sluice):
    s = sluice.http(servers(off=fake(more={"disabled": True}), ex=example()))
    with s.client() as c:
        assert not own(c.tool_names(), "off")
        assert s.health()["backends_configured"] == 1


def test_without_a_namespace_the_first_of_two_equal_names_wins(sluice):
    config = servers(namespace="never", one=fake(name="one", tools=["only_one"]), two=fake(name="two", tools=["only_two"]))
    s = sluice.http(config)
    with s.client() as c:
        names = c.tool_names()
        assert names.count("echo") == 1 and {"only_one", "only_two"} <= set(names)
        c.call("only_two", {"text": "x"})
        seen = json.loads(c.text("received"))
        assert not any("only_two" in line for line in seen), "`received` is that of the first server"
    wait_until(lambda: any("collide" in json.dumps(e) for e in s.log.events), what="a word about the collision")


def test_one_server_without_a_namespace_is_passed_through(sluice):
    s = sluice.http(servers(namespace="never", f=fake()))
    with s.client() as c:
        assert c.text("echo", {"text": "x"}) == "x"
        with pytest.raises(RpcError) as e:
            c.call("no_such")
        assert "Unknown tool: no_such" in e.value.error["message"]
        with pytest.raises(RpcError) as e:
            c.request("vendor/method", {"x": 1})
        assert e.value.code == -32601 and e.value.data == {"method": "vendor/method"}, "the server's own error"


# pages


@pytest.fixture
def paged(sluice):
    s = sluice.http(servers(f=fake(tools=[f"t{n:02}" for n in range(25)], prompts=[f"p{n}" for n in range(12)]), limits={"pageItems": 10}))
    with s.client() as c:
        yield c


def test_pages_hold_so_many_items_and_all_of_them(paged):
    cursor, sizes, names = None, [], []
    while True:
        page = paged.request("tools/list", {"cursor": cursor} if cursor else None)
        sizes.append(len(page["tools"]))
        names += [t["name"] for t in page["tools"]]
        cursor = page.get("nextCursor")
        if cursor is None:
            break
        assert isinstance(cursor, str) and cursor
    assert sizes == [10, 10, 10, 3] and len(set(names)) == 33
    assert len(paged.list_all("prompts/list", "prompts")) == 12


@pytest.mark.parametrize("cursor", ["nonsense", "0", "10", "-1", "MTA=", "x" * 5000, "\u0000"])
def test_a_cursor_that_we_did_not_give_is_refused(paged, cursor):
    for method, _, _ in LISTS:
        answer = paged.post(request(1, method, {"cursor": cursor})).json()
        assert answer["error"]["code"] == -32602, method


def test_a_cursor_of_another_list_or_changed_is_refused(paged):
    cursor = paged.request("tools/list")["nextCursor"]
    assert paged.post(request(1, "prompts/list", {"cursor": cursor})).json()["error"]["code"] == -32602
    for changed in (cursor + "A", cursor[:-1], cursor[1:], cursor[:-1] + ("A" if cursor[-1] != "A" else "B")):
        answer = paged.post(request(1, "tools/list", {"cursor": changed})).json()
        assert answer.get("error", {}).get("code") == -32602, changed


@pytest.mark.parametrize("method,member,key", LISTS)
def test_lists_are_always_there_if_only_empty(sluice, method, member, key):
    s = sluice.http(servers(f=fake(capabilities={"tools": {}})))
    with s.client() as c:
        result = c.request(method)
        assert isinstance(result[member], list) and (member == "tools") == bool(result[member])


# changes


def changed(kind, then):
    return {"steps": [{"set": then}, {"line": '{"jsonrpc":"2.0","method":"notifications/%s/list_changed"}' % kind}, {"answer": "ok"}]}


@pytest.mark.parametrize(
    "kind,then,method,member,key,wanted",
    [
        ("tools", {"tools": ["script", "newer"]}, "tools/list", "tools", "name", ["f__script", "f__newer"]),
        ("resources", {"resources": ["f://2"]}, "resources/list", "resources", "uri", ["f://2"]),
        ("prompts", {"prompts": ["q"]}, "prompts/list", "prompts", "name", ["f__q"]),
    ],
)
def test_a_changed_list_is_fetched_and_told(sluice, kind, then, method, member, key, wanted):
    s = sluice.http(servers(f=fake(resources=["f://1"], prompts=["p"])))
    with s.client() as c:
        stream = c.get_stream()
        stream.drain()
        c.call("f__script", changed(kind, then))
        told = [m["method"] for m in c.notifications]
        if not told:
            told = [stream.next_message()["method"]]
        assert told == [f"notifications/{kind}/list_changed"]
        assert [item[key] for item in c.request(method)[member]] == wanted


def test_a_client_that_comes_after_the_start_is_not_told_of_it(sluice):
    s = sluice.http(servers(ex=example(), f=fake(resources=["f://1"], prompts=["p"])))
    with s.client() as c:
        c.tool_names()
        assert c.get_stream().drain(0.8) == []


def test_a_change_that_changes_nothing_is_not_told(sluice):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        stream = c.get_stream()
        stream.drain()
        c.call("f__script", {"steps": [{"line": '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'}, {"answer": ""}]})
        assert stream.drain() == []
        c.call("f__script", changed("tools", {"tools": ["script", "x"]}))
        assert [m["method"] for m in stream.drain()] == ["notifications/tools/list_changed"]
        assert c.notifications == []


def test_a_burst_of_changes_is_told_few_times(sluice):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        stream = c.get_stream()
        stream.drain()
        steps = []
        for n in range(40):
            steps += [{"set": {"tools": ["script", f"n{n}"]}}, {"line": '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'}]
        c.call("f__script", {"steps": steps + [{"answer": ""}]})
        wait_until(lambda: c.tool_names() == ["f__script", "f__n39"], what="the last list")
        told = [m["method"] for m in stream.drain()]
        assert set(told) == {"notifications/tools/list_changed"} and len(told) <= 10


# what is missing


def test_a_server_without_lists_hides_no_other(sluice):
    errors = {m: [{"line": '{"jsonrpc":"2.0","id":$ID,"error":{"code":-32603,"message":"broken"}}'}] for m, _, _ in LISTS}
    s = sluice.http(servers(bad=fake(on=errors, resources=["x://1"], prompts=["p"], more={"startupTimeout": "1s"}), ex=example()), ready=False)
    with s.client(timeout=10) as c:
        for method, member, key in LISTS:
            assert any(str(item[key]).startswith(("ex__", "example://")) for item in c.request(method)[member]), method


def test_lists_are_served_from_memory(two):
    before = len(json.loads(two.text("zeta__received")))
    for _ in range(20):
        for method, member, _ in LISTS:
            two.list_all(method, member)
    assert len(json.loads(two.text("zeta__received"))) == before + 1


def test_instructions_name_their_server(sluice):
    s = sluice.http(servers(one=fake(instructions="Use one wisely."), two=fake(instructions="Two is odd."), three=fake()))
    with s.client() as c:
        text = c.hello.get("instructions", "")
        assert text.index("Use one wisely.") < text.index("Two is odd.")


def test_a_list_of_one_server_is_served_under_its_own_path(two):
    with two.gateway.client("/mcp/server/alpha") as c:
        assert c.tool_names()[-1] == "b"
        assert [p["name"] for p in c.request("prompts/list")["prompts"]] == ["p1"]
        assert [r["uri"] for r in c.request("resources/list")["resources"]] == ["both://x", "a://1"]
        assert c.request("resources/read", {"uri": "both://x"})["contents"][0]["text"] == "alpha: both://x"
