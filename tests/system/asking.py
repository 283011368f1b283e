"""For tests of what servers ask of clients: a call whose stream is read step by step, and answers to it."""

import json

from http_client import EventStream
from mcp_client import call, dumps, text_of

ALL = {"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {"listChanged": True}}
FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}
SAMPLING = {"messages": [], "maxTokens": 1}
ACCEPTED = {"action": "accept", "content": {"name": "Ann"}}


class OpenCall:
    """A call over HTTP whose stream is open, because the server asks something meanwhile."""

    def __init__(self, client, tool, arguments=None, id=1):
        self.client = client.fork()
        self.response = self.client.post(call(id, tool, arguments))
        assert self.response.is_sse, self.response.body
        self.stream = EventStream(self.response.connection, self.response)

    def next(self, timeout=None):
        return self.stream.next_message(timeout)

    def text(self):
        """Of its result, which must be the last message of the stream."""
        message = self.next()
        assert "result" in message, message
        assert self.next() is None
        return text_of(message["result"])

    def close(self):
        self.client.close()


def asking(client, method, params=None, tool="f__ask", **more):
    """A call of the tool that asks, and what it asks."""
    arguments = {"method": method, **more}
    if params is not None:
        arguments["params"] = params
    c = OpenCall(client, tool, arguments)
    return c, c.next()


def reply(client, question, result=None, error=None):
    """POSTs an answer; it is taken without a word in any case."""
    answer = {"jsonrpc": "2.0", "id": question["id"] if isinstance(question, dict) else question}
    answer.update({"error": error} if error is not None else {"result": result})
    with client.fork() as f:
        r = f.post(dumps(answer))
    assert (r.status, r.body) == (202, b""), r


def answered(call):
    """What the server got: the message."""
    return json.loads(call.text())
