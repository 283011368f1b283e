#!/usr/bin/env python3
"""An MCP server over stdio that misbehaves to order. The knobs are one JSON object, argv[1]:

  name, revision, capabilities      what it says of itself; `revision` is answered whatever was asked
  tools, resources, prompts, templates   lists of items (a string is short for a plain item)
  era             "legacy" (the default), "modern": 2026-07-28 only, or "dual": either, as its first request is
  discover        what a legacy one does with server/discover: "refuse" (the default; it is not written down then),
                  "exit", "ignore", or "late": like "ignore", but of a modern one, which answers at the next message
  dumb            never answers initialize
  refuse          revisions that it answers with an error to initialize
  init_error      an error object to answer initialize with
  init_delay      seconds before the answer to initialize
  start_delay     seconds before it reads at all
  before          steps (see below) before anything is read
  on              {method: steps} run when a message of that method comes, before it is answered; steps that name
                  $ID are the answer
  die_on          {method: exit code}: exits when it comes, without an answer
  fail_starts     exits at once that many times, counted in the file `counter`, then works
  page            items per page; "endless": every page of tools/list has a next one
  ignore_term, ignore_eof
  term_code       exits with that code at SIGTERM (143)
  last_words      writes that many bytes of log messages at the end of its stdin, before it leaves
  record          a file that gets each line read, and "EOF", "TERM"; one line each, with the time in front
  delay           seconds before each answer to tools/call
  subscribe       false: no subscriptions
  no_updates      URIs that it does not let anybody subscribe to, and ids of tasks
  extension       true: it has the extension of tasks of the modern revision, as far as listening for them goes
  tasks           true: tasks of 2025-11-25 (and a call with `task` makes one): they are called task-1, ..., are
                  completed when their call would be answered, and tell their status as it changes

Its tools: echo (its text), sleep {ms} (cancellable; {stubborn: true} answers although cancelled), received (all
messages that came so far, raw), pid, env {name}, ask {method, params} (asks that of the client and answers with the
message that comes back; {"forget": true}: answers at once; a cancelled one takes its question back), hello (the params
of initialize), meta (the `_meta` of the call), need {requests} (ends with these inputRequests; called again it answers
with the inputResponses and the requestState), and

  script {steps}  does the steps one after another; each is an object with one of
    line          writes that text and a line feed         raw     writes that text as it is
    hex           writes those bytes                       flood   writes that many bytes of garbage lines
    repeat, text  writes the text that often               wait    ms
    answer        answers the call with that text          stderr  writes that to stderr; stderr_hex: those bytes
    stderr_flood  writes that many bytes of lines there    exit    ends with that code
    kill          ends by that signal                      close   "stdout" or "stdin"
    fork          so many grandchildren that ignore SIGTERM and leave the session; {"fork": 1, "same_group": true}
                  stay in the group; with "holds_stdout": true they keep it open
    call_back     sends that request of its own, waits for the answer and remembers it (see `received`)
    news          {method, params} to each listener (subscriptions/listen) of a modern one
    unlisten      ends all that listen, by an empty result
    set           {"tools": [...]} replaces a list          stop    goes to sleep for ever (SIGSTOP)
    orphans       so many grandchildren that end at once and are left to whoever reaps them
    flood_for_ever   "stdout" or "stderr": writes there without a line feed and does nothing else
    block         neither reads nor writes for so many ms
  In texts $ID stands for the id of the call as it came on the wire, or of its task, $TOKEN for its progress token.
"""

import heapq
import json
import os
import select
import signal
import sys
import time

KNOBS = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
LISTS = {
    "tools/list": ("tools", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
    "prompts/list": ("prompts", "name"),
}
OWN_TOOLS = ["echo", "sleep", "script", "received", "pid", "env", "ask", "hello"]
MODERN, META = "2026-07-28", "io.modelcontextprotocol/"
REMOVED = ("initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")
CACHEABLE = (*LISTS, "server/discover", "resources/read")


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data) :]


def record(what):
    path = KNOBS.get("record")
    if path:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(fd, f"{time.monotonic():.4f} {what}\n".encode())
        os.close(fd)


def plain_item(kind, key, item):
    if not isinstance(item, str):
        return item
    full = {key: item}
    if kind == "tools":
        full.update(description=item, inputSchema={"type": "object"})
    elif kind != "prompts":
        full["name"] = item
    return full


class Task:
    """It stands where the id of its call would."""

    def __init__(self, id, ttl):
        self.id, self.ttl, self.status, self.result = id, ttl, "working", None

    def told(self):
        at = "2026-01-01T00:00:00Z"
        return {"taskId": self.id, "status": self.status, "createdAt": at, "lastUpdatedAt": at, "ttl": self.ttl, "pollInterval": 20}

    def meta(self):
        return {"io.modelcontextprotocol/related-task": {"taskId": self.id}}


class Server:
    def __init__(self):
        self.timers, self.order = [], 0
        self.received, self.cancelled = [], set()
        self.asked, self.questions = {}, 0
        self.hello, self.listeners, self.unanswered = None, {}, None
        self.modern = KNOBS.get("era") == "modern"
        self.methods = {}
        self.tasks, self.waiting = {}, []
        self.lists = {
            "tools": [*OWN_TOOLS, *KNOBS.get("tools", [])],
            "resources": KNOBS.get("resources", []),
            "resourceTemplates": KNOBS.get("templates", []),
            "prompts": KNOBS.get("prompts", []),
        }
        self.buffer, self.stdin_open = b"", True

    # output

    def line(self, text):
        write_all(1, text.encode("utf-8", "surrogatepass") + b"\n")

    def send(self, message):
        self.line(dumps(message))

    def result(self, id, result):
        if isinstance(id, Task):
            self.task_done(id, "completed", result)
            return
        if self.modern:
            result = {"resultType": "complete", **result}
            if self.methods.get(dumps(id)) in CACHEABLE:
                result.update(ttlMs=0, cacheScope="private")
        self.send({"jsonrpc": "2.0", "id": id, "result": result})

    def error(self, id, code, message, **more):
        if isinstance(id, Task):
            self.task_done(id, "failed", {"content": [{"type": "text", "text": message}], "isError": True})
            return
        self.send({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, **more}})

    def text(self, id, text):
        self.result(id, {"content": [{"type": "text", "text": text}]})

    # time

    def later(self, seconds, action, *args):
        self.order += 1
        heapq.heappush(self.timers, (time.monotonic() + seconds, self.order, action, args))

    def run_timers(self):
        while self.timers and self.timers[0][0] <= time.monotonic():
            _, _, action, args = heapq.heappop(self.timers)
            action(*args)

    # input

    def serve(self):
        while True:
            self.run_timers()
            timeout = max(0, self.timers[0][0] - time.monotonic()) if self.timers else None
            readable, _, _ = select.select([0] if self.stdin_open else [], [], [], timeout)
            if readable:
                self.read()

    def read(self):
        data = os.read(0, 1 << 20)
        if not data:
            record("EOF")
            self.stdin_open = False
            self.say_last_words(KNOBS.get("last_words", 0))
            if not KNOBS.get("ignore_eof"):
                os._exit(0)
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message.get("method") == "server/discover" and self.refuses_discover():
                self.error(message["id"], -32601, "Method not found")
                continue
            record(line.decode())
            self.received.append(line.decode())
            self.on_message(message)

    def say_last_words(self, size):
        params = {"level": "info", "data": "x" * 1000}
        for _ in range(size // 1000):
            self.send({"jsonrpc": "2.0", "method": "notifications/message", "params": params})
        if size:
            record("SAID")

    def refuses_discover(self):
        return KNOBS.get("era", "legacy") == "legacy" and KNOBS.get("discover", "refuse") == "refuse"

    # the modern revision

    def claims(self, m):
        return ((m.get("params") or {}).get("_meta") or {}).get(META + "protocolVersion")

    def opens(self, m):
        """What comes before it is known, or decides, of which era it is; true: that was all."""
        method, id, how = m.get("method"), m.get("id"), KNOBS.get("discover", "refuse")
        if method == "server/discover" and how in ("ignore", "late"):
            self.unanswered = m if how == "late" else None
            return True
        if method == "server/discover" and KNOBS.get("era", "legacy") == "legacy" and how == "exit":
            os._exit(1)
        if self.unanswered:
            self.discovered(self.unanswered)
            self.unanswered, KNOBS["discover"] = None, "refuse"
        if KNOBS.get("era") == "dual" and not self.modern and method != "server/discover" and self.hello is None:
            self.modern = self.claims(m) == MODERN
        if method == "server/discover" and self.claims(m) == MODERN:
            self.discovered(m)
            return True
        if self.modern and id is not None and method is not None:
            self.methods[dumps(id)] = method
            return self.refused(m)
        return False

    def refused(self, m):
        if m["method"] == "initialize" or self.claims(m) not in (None, MODERN):
            self.error(m["id"], -32022, "Unsupported protocol version", data={"supported": [MODERN]})
        elif self.claims(m) is None or META + "clientCapabilities" not in m["params"]["_meta"]:
            self.error(m["id"], -32602, "Invalid _meta")
        elif m["method"] in REMOVED:
            self.error(m["id"], -32601, "Method not found")
        else:
            return False
        return True

    def discovered(self, m):
        was, self.modern = self.modern, True
        self.methods[dumps(m["id"])] = m["method"]
        info = {"name": KNOBS.get("name", "fake"), "version": "0"}
        self.result(m["id"], {"supportedVersions": [MODERN], "capabilities": self.capabilities(), "_meta": {META + "serverInfo": info}})
        self.modern = was

    def listen(self, m):
        wanted, refused = m["params"]["notifications"], KNOBS.get("no_updates", [])
        for kind in ("resourceSubscriptions", "taskIds"):
            if kind in wanted:
                wanted = {**wanted, kind: [x for x in wanted[kind] if x not in refused]}
        self.listeners[dumps(m["id"])] = m["id"], wanted
        self.tell(m["id"], "notifications/subscriptions/acknowledged", {"notifications": wanted})

    def tell(self, listener, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": {**params, "_meta": {META + "subscriptionId": listener}}})

    def news(self, method, params):
        kind = method.split("/")[1]
        for id, wanted in list(self.listeners.values()):
            if kind == "tasks":
                hears = params["taskId"] in wanted.get("taskIds", [])
            elif kind == "resources" and "uri" in params:
                hears = params["uri"] in wanted.get("resourceSubscriptions", [])
            else:
                hears = wanted.get(kind + "ListChanged")
            if hears:
                self.tell(id, method, params)

    def unlisten(self):
        for id, _ in self.listeners.values():
            self.result(id, {})
        self.listeners.clear()

    def on_message(self, m):
        method, id = m.get("method"), m.get("id")
        if method in KNOBS.get("die_on", {}):
            os._exit(KNOBS["die_on"][method])
        if self.opens(m):
            return
        if method in KNOBS.get("on", {}):
            self.steps(list(KNOBS["on"][method]), m)
            if "$ID" in dumps(KNOBS["on"][method]):
                return
        if method == "notifications/cancelled":
            self.cancelled.add(dumps(m["params"]["requestId"]))
            self.listeners.pop(dumps(m["params"]["requestId"]), None)
            self.take_back(m["params"]["requestId"])
        if method is None and id in self.asked:
            self.text(self.asked.pop(id), dumps(m))
        if method is None or id is None:
            return
        if method == "initialize":
            self.later(KNOBS.get("init_delay", 0), self.initialize, m)
        elif method == "subscriptions/listen" and self.modern:
            self.listen(m)
        elif method == "ping":
            self.result(id, {})
        elif method in LISTS:
            self.list(m, *LISTS[method])
        elif method == "tools/call" and KNOBS.get("tasks") and "task" in m["params"]:
            self.begin_task(m)
        elif method.startswith("tasks/") and KNOBS.get("tasks"):
            self.on_task(m)
        elif method == "tools/call":
            self.later(KNOBS.get("delay", 0), self.call, m)
        elif method == "prompts/get":
            self.result(id, {"messages": [{"role": "user", "content": {"type": "text", "text": m["params"]["name"]}}]})
        elif method == "resources/read":
            self.read_resource(m)
        elif method == "resources/subscribe" and m["params"]["uri"] in KNOBS.get("no_updates", []):
            self.error(id, -32002, "Resource not found")
        elif method in ("logging/setLevel", "resources/subscribe", "resources/unsubscribe"):
            self.result(id, {})
        elif method == "completion/complete":
            self.result(id, {"completion": {"values": [dumps(m["params"]["ref"])]}})
        else:
            self.error(id, -32601, "no such method here", data={"method": method})

    def initialize(self, m):
        asked = m["params"]["protocolVersion"]
        self.hello = m["params"]
        if KNOBS.get("dumb"):
            return
        if "init_error" in KNOBS or asked in KNOBS.get("refuse", []):
            self.send({"jsonrpc": "2.0", "id": m["id"], "error": KNOBS.get("init_error", {"code": -32602, "message": "no"})})
            return
        result = {
            "protocolVersion": KNOBS.get("revision", asked),
            "capabilities": self.capabilities(),
            "serverInfo": {"name": KNOBS.get("name", "fake"), "version": "0"},
        }
        if "instructions" in KNOBS:
            result["instructions"] = KNOBS["instructions"]
        self.result(m["id"], result)

    def capabilities(self):
        capabilities = {"tools": {"listChanged": True}, "logging": {}, "completions": {}}
        if self.lists["resources"] or self.lists["resourceTemplates"]:
            capabilities["resources"] = {"listChanged": True, "subscribe": KNOBS.get("subscribe", True)}
        if self.lists["prompts"]:
            capabilities["prompts"] = {"listChanged": True}
        if KNOBS.get("tasks"):
            capabilities["tasks"] = {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
        if KNOBS.get("extension"):
            capabilities["extensions"] = {META + "tasks": {}}
        return KNOBS.get("capabilities", capabilities)

    def list(self, m, kind, key):
        items, page = self.lists[kind], KNOBS.get("page")
        cursor = (m.get("params") or {}).get("cursor")
        if page == "endless" and kind == "tools":
            n = int(cursor or 0)
            self.result(m["id"], {kind: [plain_item(kind, key, f"tool_{n}")], "nextCursor": str(n + 1)})
            return
        start = int(cursor or 0)
        stop = start + page if isinstance(page, int) else len(items)
        result = {kind: [plain_item(kind, key, item) for item in items[start:stop]]}
        if stop < len(items):
            result["nextCursor"] = str(stop)
        self.result(m["id"], result)

    def read_resource(self, m):
        uri = m["params"]["uri"]
        known = [r if isinstance(r, str) else r["uri"] for r in self.lists["resources"]]
        prefixes = [t.partition("{")[0] if isinstance(t, str) else t["uriTemplate"].partition("{")[0] for t in self.lists["resourceTemplates"]]
        if uri in known or any(uri.startswith(p) for p in prefixes):
            self.result(m["id"], {"contents": [{"uri": uri, "text": f"{KNOBS.get('name', 'fake')}: {uri}"}]})
        else:
            self.error(m["id"], -32002, "Resource not found", data={"uri": uri})

    # tools

    def call(self, m):
        name, id = m["params"]["name"], m["id"]
        arguments = m["params"].get("arguments") or {}
        if name == "sleep":
            self.later(arguments.get("ms", 1000) / 1000, self.slept, id, arguments)
        elif name == "ask":
            self.ask(id, arguments)
        elif name == "hello":
            self.text(id, dumps(self.hello))
        elif name == "need" and "inputResponses" not in m["params"]:
            self.result(id, {"resultType": "input_required", "inputRequests": arguments["requests"], "requestState": "s"})
        elif name == "need":
            self.text(id, dumps([m["params"]["inputResponses"], m["params"].get("requestState")]))
        elif name == "meta":
            self.text(id, dumps(m["params"].get("_meta")))
        elif name == "script":
            self.steps(list(arguments["steps"]), m)
        elif name == "received":
            self.text(id, json.dumps(self.received))
        elif name == "pid":
            self.text(id, str(os.getpid()))
        elif name == "env":
            self.text(id, os.environ.get(arguments["name"], "") if "name" in arguments else json.dumps(dict(os.environ)))
        elif name == "echo" or any(name == (t if isinstance(t, str) else t["name"]) for t in self.lists["tools"]):
            self.text(id, arguments["text"] if isinstance(arguments.get("text"), str) else dumps(arguments))
        else:
            self.error(id, -32602, f"Unknown tool: {name}")

    # tasks

    def begin_task(self, m):
        task = Task(f"task-{len(self.tasks) + 1}", m["params"]["task"].get("ttl"))
        self.tasks[task.id] = task
        self.send({"jsonrpc": "2.0", "id": m["id"], "result": {"task": task.told()}})
        self.later(KNOBS.get("delay", 0), self.call, {**m, "id": task})

    def task_done(self, task, status, result=None):
        if task.status != "working":
            return
        task.status, task.result = status, result
        self.send({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task.told()})
        for id, wanted in self.waiting:
            if wanted is task:
                self.task_result(id, task)
        self.waiting = [w for w in self.waiting if w[1] is not task]

    def task_result(self, id, task):
        if task.result is None:
            self.error(id, -32603, "the task was cancelled")
        else:
            self.result(id, {**task.result, "_meta": task.meta()})

    def on_task(self, m):
        method, id, params = m["method"], m["id"], m.get("params") or {}
        task = self.tasks.get(params.get("taskId"))
        if method == "tasks/list":
            self.result(id, {"tasks": [t.told() for t in self.tasks.values()]})
        elif task is None:
            self.error(id, -32602, "no such task")
        elif method == "tasks/get":
            self.result(id, task.told())
        elif method == "tasks/result" and task.status == "working":
            self.waiting.append((id, task))
        elif method == "tasks/result":
            self.task_result(id, task)
        elif task.status != "working":
            self.error(id, -32602, "the task is over")
        else:
            self.task_done(task, "cancelled")
            self.result(id, task.told())

    def ask(self, id, arguments):
        self.questions += 1
        question = arguments.get("id", f"q{self.questions}")
        message = {"jsonrpc": "2.0", "id": question, "method": arguments["method"]}
        if "params" in arguments:
            message["params"] = arguments["params"]
        if isinstance(id, Task):
            message["params"] = {**message.get("params", {}), "_meta": id.meta()}
        self.send(message)
        if arguments.get("forget"):
            self.text(id, "asked")
        else:
            self.asked[question] = id

    def take_back(self, call):
        for question, asker in list(self.asked.items()):
            if asker == call:
                del self.asked[question]
                self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": question}})

    def slept(self, id, arguments):
        if isinstance(id, Task) or dumps(id) not in self.cancelled or arguments.get("stubborn"):
            self.text(id, "slept")

    def fill(self, text, m):
        token = ((m.get("params") or {}).get("_meta") or {}).get("progressToken")
        id = m.get("id")
        return text.replace("$ID", dumps(id.id if isinstance(id, Task) else id)).replace("$TOKEN", dumps(token))

    def steps(self, steps, m):
        while steps:
            step = steps.pop(0)
            if "wait" in step:
                self.later(step["wait"] / 1000, self.steps, steps, m)
                return
            self.step(step, m)

    def step(self, step, m):
        if "line" in step:
            text = step["line"] if isinstance(step["line"], str) else dumps(step["line"])
            self.line(self.fill(text, m))
        elif "raw" in step:
            write_all(1, self.fill(step["raw"], m).encode("utf-8", "surrogatepass"))
        elif "hex" in step:
            write_all(1, bytes.fromhex(step["hex"]))
        elif "repeat" in step:
            write_all(1, self.fill(step["text"], m).encode() * step["repeat"])
        elif "flood" in step:
            write_all(1, (b"garbage " * 127 + b"\n") * (step["flood"] // 1017 + 1))
        elif "answer" in step:
            self.text(m["id"], step["answer"])
        elif "stderr" in step:
            write_all(2, step["stderr"].encode("utf-8", "surrogateescape"))
        elif "stderr_hex" in step:
            write_all(2, bytes.fromhex(step["stderr_hex"]))
        elif "stderr_flood" in step:
            write_all(2, (b"noise " * 16 + b"\n") * (step["stderr_flood"] // 97 + 1))
        elif "exit" in step:
            os._exit(step["exit"])
        elif "kill" in step:
            signal.signal(step["kill"], signal.SIG_DFL) if step["kill"] != signal.SIGKILL else None
            os.kill(os.getpid(), step["kill"])
        elif "close" in step:
            os.close({"stdin": 0, "stdout": 1}[step["close"]])
            self.stdin_open = self.stdin_open and step["close"] != "stdin"
        elif "fork" in step:
            for _ in range(step["fork"]):
                spawn_survivor(step.get("same_group", False), step.get("holds_stdout", False))
        elif "call_back" in step:
            self.line(self.fill(dumps(step["call_back"]), m))
        elif "news" in step:
            self.news(step["news"]["method"], step["news"].get("params", {}))
        elif "unlisten" in step:
            self.unlisten()
        elif "set" in step:
            self.lists.update(step["set"])
        elif "orphans" in step:
            for _ in range(step["orphans"]):
                leave_orphan()
        elif "flood_for_ever" in step:
            while True:
                os.write({"stdout": 1, "stderr": 2}[step["flood_for_ever"]], b"x" * 65536)
        elif "block" in step:
            time.sleep(step["block"] / 1000)
        elif "stop" in step:
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            raise ValueError(step)


def spawn_survivor(same_group, holds_stdout):
    """A grandchild whose parent is gone at once, which ignores SIGTERM, and unless told otherwise left the group."""
    if pid := os.fork():
        os.waitpid(pid, 0)
        return
    if not same_group:
        os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for fd in (0, 2) if holds_stdout else (0, 1, 2):
        os.close(fd)
    while True:
        time.sleep(1000)


def leave_orphan():
    if pid := os.fork():
        os.waitpid(pid, 0)
    elif os.fork():
        os._exit(0)
    else:
        time.sleep(0.02)
        os._exit(0)


def on_term(*_):
    record("TERM")
    if not KNOBS.get("ignore_term"):
        os._exit(KNOBS.get("term_code", 143))


def count_start():
    """True while this start is one of those that are to fail."""
    with open(KNOBS["counter"], "a+") as f:
        f.write(".")
        f.flush()
        return os.fstat(f.fileno()).st_size <= KNOBS["fail_starts"]


def main():
    signal.signal(signal.SIGTERM, on_term)
    record(f"START {os.getpid()}")
    if "fail_starts" in KNOBS and count_start():
        os._exit(KNOBS.get("exit_code", 3))
    server = Server()
    time.sleep(KNOBS.get("start_delay", 0))
    server.steps(list(KNOBS.get("before", [])), {})
    server.serve()


if __name__ == "__main__":
    main()
