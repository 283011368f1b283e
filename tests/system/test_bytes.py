"""Bytes pass through: what Sluice does not have to change it does not touch. Issue 2, item 6."""

import json

import pytest

from harness import example, fake, servers
from http_client import EventStream
from mcp_client import call, dumps, request

ARGUMENTS = {
    "big integers": '{"n":123456789012345678901234567890,"m":-9223372036854775809,"u":18446744073709551616}',
    "floats as written": '{"a":1.0,"b":1.10e-7,"c":-0,"d":1E400,"e":0.1000000000000000055511151231257827}',
    "escapes as written": '{"s":"\\u00e9\\/\\b\\f\\n\\r\\t\\"\\\\ \\ud83d\\ude00 \\u0000"}',
    "a lone surrogate": '{"s":"\\ud800 and \\udc00"}',
    "invisible characters": '{"nbsp":"a\u00a0b","zwj":"a\u200db","bom":"\ufeff","ls":"\u2028\u2029","emoji":"👩\u200d👩\u200d👧"}',
    "keys in their order": '{"z":1,"a":2,"m":3,"10":4,"9":5}',
    "doubled keys": '{"a":1,"a":2,"b":{"x":1,"x":2}}',
    "escaped keys": '{"\\u006eame":"x","k\\u0065y":1,"":0}',
    "space between tokens": '{ "a" : [ 1 , 2 ,\t3 ] , "b" : { } }',
    "empty things": '{"a":{},"b":[],"c":"","d":null,"e":false}',
    "keys of the protocol deeper down": '{"jsonrpc":"1","id":9,"method":"x","params":{"name":"y","_meta":{"progressToken":1}}}',
    "deep nesting": '{"a":' + "[" * 100 + "]" * 100 + "}",
    "DEL and high planes": '{"a":"\x7f","b":"\U0010ffff","c":"\U0001f600"}',
    "a long string": '{"a":"' + "é" * 100_000 + '"}',
    "many members": "{" + ",".join(f'"k{n}":{n}' for n in range(5000)) + "}",
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_and_results_pass_untouched(client, name):
    arguments = ARGUMENTS[name]
    r = client.post('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ex__mirror","arguments":%s}}' % arguments)
    assert r.status == 200
    assert ('"structuredContent":%s' % arguments).encode() in r.body


def test_the_whole_answer_is_the_servers_but_for_the_id(client, shared):
    """The example server's `odd` holds all that a careless proxy would change."""
    r = client.post('{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"name":"ex__odd"}}')
    with shared.client("/mcp/server/ex") as alone:
        other = alone.post('{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"name":"odd"}}')
    assert r.body == other.body
    for piece in (
        '"big":12345678901234567890123456789',
        '"one":1.0,"exp":1E400,"neg":-0,"tiny":1.10e-7',
        '"zz":1,"aa":2,"zz":3,"":null,"k\\u0065y":[ ]',
        "[1 , 2]",
        "a\\u00e9\\/b\u00a0nbsp\u200dzwj\\ud83d\\ude00😀",
        '"x-unknown":{"vendor":true}',
        '"_meta":{"example.com/trace":"00-ab","n":18446744073709551616}',
    ):
        assert piece.encode() in r.body, piece


def test_meta_passes_and_only_the_progress_token_changes(client):
    meta = '{"example.com/a":{"x" : 1.0},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"}'
    r = client.post('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ex__mirror","_meta":%s}}' % meta)
    assert ('"_meta":%s' % meta).encode() in r.body
    with_token = '{"a":1.0,"progressToken":"mine","b":[ ]}'
    r = client.post('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":%s,"name":"ex__mirror"}}' % with_token)
    got = json.loads(r.body)["result"]["_meta"]
    assert list(got) == ["a", "progressToken", "b"] and b'"b":[ ]' in r.body and b'{"a":1.0,' in r.body


def test_unknown_members_pass_to_the_server(sluice):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        line = '{"x-top" : [1.0],"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"x-inner":{"y":1e5},"name":"f__echo","arguments":{}}}'
        assert c.post(line).status == 200
        seen = json.loads(c.text("f__received"))
        (got,) = [text for text in seen if "x-inner" in text]
        assert got.startswith('{"x-top" : [1.0],"jsonrpc":"2.0","id":') and got.endswith(
            ',"method":"tools/call","params":{"x-inner":{"y":1e5},"name":"echo","arguments":{}}}'
        )


def test_a_message_over_several_lines_stays_one_line_at_the_server(client):
    text = '{\r\n "jsonrpc": "2.0",\n "id": 1,\n "method": "tools/call",\n "params": {\n  "name": "ex__mirror",\n  "arguments": {\n   "a": [\n    1\n   ]\n  }\n }\n}\n'
    r = client.post(text)
    assert r.status == 200 and r.json()["result"]["structuredContent"] == {"a": [1]}


@pytest.mark.parametrize(
    "error",
    [
        '{"code":-32042,"message":"m","data":{"a":1.0,"b":[ ]}}',
        '{"message":"other order","code":7}',
        '{"code":-32603,"message":"\\u00e9","data":null,"x":1}',
        '{"code":2147483648,"message":""}',
    ],
)
def test_an_error_passes_with_code_message_and_data_as_written(sluice, error):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        line = '{"jsonrpc":"2.0","id":$ID,"error":%s}' % error
        r = c.post(call(1, "f__script", {"steps": [{"line": line}]}))
        assert r.status == 200 and ('"error":%s' % error).encode() in r.body


def test_an_answer_with_its_members_in_any_order_passes(sluice):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        line = ' { "result" : {"content":[ ],"x":1.0} , "extra":[1], "id" : $ID ,"jsonrpc":"2.0" } '
        r = c.post(call("me", "f__script", {"steps": [{"line": line}]}))
        assert b'{ "result" : {"content":[ ],"x":1.0} , "extra":[1], "id" : "me" ,"jsonrpc":"2.0" }' in r.body


def test_progress_passes_untouched_but_for_its_token(sluice):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        line = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"total":1.0,"progressToken":$TOKEN,"progress":0.10,"x":"\\u00e9"}}'
        r = c.post(call(1, "f__script", {"steps": [{"line": line}, {"answer": "ok"}]}, token="tok"))
        event = EventStream(r.connection, r).next()
        while not event.data:
            event = EventStream(r.connection, r).next()
        assert event.data == line.replace("$TOKEN", '"tok"')


def test_prompts_and_resources_pass_untouched(sluice):
    result = '{"messages":[ ],"n":1.0,"description":"\\u00e9"}'
    contents = '{"contents":[{"uri":"f://1","text":"\\u00e9","n":1.0}]}'
    knobs = {
        "on": {
            "prompts/get": [{"line": '{"jsonrpc":"2.0","id":$ID,"result":%s}' % result}],
            "resources/read": [{"line": '{"jsonrpc":"2.0","id":$ID,"result":%s}' % contents}],
        }
    }
    s = sluice.http(servers(f=fake(knobs, prompts=["p"], resources=["f://1"])))
    with s.client() as c:
        assert result.encode() in c.post(request(1, "prompts/get", {"name": "f__p"})).body
        assert contents.encode() in c.post(request(1, "resources/read", {"uri": "f://1"})).body


def test_a_name_may_be_escaped(client):
    r = client.post('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ex__\\u0065cho","arguments":{"text":"x"}}}')
    assert r.json()["result"]["content"][0]["text"] == "x"
    r = client.post('{"jsonrpc":"2.0","id":1,"method":"tools\\/call","params":{"n\\u0061me":"ex\\u005f_echo","arguments":{"text":"y"}}}')
    assert r.json()["result"]["content"][0]["text"] == "y"


def test_depth_is_counted_against_the_limit(client):
    within, beyond = "[" * 120 + "]" * 120, "[" * 130 + "]" * 130
    text = '{"jsonrpc":"2.0","id":1,"method":"ping","x":%s}'
    assert client.post(text % within).status == 200
    assert client.post(text % beyond).status == 400


def test_a_result_that_is_too_deep_is_a_bad_answer_or_skipped(sluice):
    s = sluice.http(servers(f=fake(more={"requestTimeout": "1s"})))
    with s.client() as c:
        line = '{"jsonrpc":"2.0","id":$ID,"result":' + "[" * 500 + "]" * 500 + "}"
        error = c.post(call(1, "f__script", {"steps": [{"line": line}]})).json()["error"]
        assert error["data"]["reason"] in ("bad_answer", "backend_timeout")
        assert c.text("f__echo", {"text": "x"}) == "x"


def test_everything_at_once_over_stdio(sluice):
    s = sluice.stdio(servers(ex=example()))
    c = s.stdio_client().initialize()
    for arguments in ARGUMENTS.values():
        line = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ex__mirror","arguments":%s}}' % arguments
        c.send(line.encode())
        with c.condition:
            c.condition.wait_for(lambda: c.lines, 5)
            got = c.lines.pop(0)
        assert ('"structuredContent":%s' % arguments).encode() in got, dumps(arguments)[:100]
