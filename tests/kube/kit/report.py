"""The page of a drill: one HTML file without anything beside it, with a table of the figures and, for each drill, a timeline
of the pods' phases, the requests and what became of them, long calls and streams. And the same figures as text."""

import collections
import datetime
import html
import os
import platform
import shlex

WIDTH, LEFT, RIGHT = 1160, 128, 16  # of a timeline, of its labels, of its margin
MANY = 16  # pods beyond which rows are thin and have no name
BUCKETS = 120  # bars in a timeline, about

PHASES = {
    "starting": "starting", "ready": "ready", "lame_duck": "lame-duck", "draining": "draining",
    "stopping_backends": "stopping servers", "exiting": "exiting", "terminating": "terminating",
}  # fmt: skip
OUTCOMES = {  # what became of a request, from the bottom of a bar to its top
    "ok": "answered",
    "late": "answered by a pod that was deleted",
    "again": "answered after a retry",
    "crossed": "crossed a goodbye",
    "told": "failed, and told so",
    "lost": "lost",
}


def seconds(value):
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 0.995 else f"{value:.1f} s"


def whole(value):
    return f"{value:,}"


COLUMNS = (  # title, figure, unit
    ("requests", "requests", whole), ("per s", "per_second", lambda v: f"{v:.0f}"), ("lost", "lost", whole),
    ("crossings", "crossings", whole), ("resets", "resets", whole), ("refused", "refused", whole),
    ("503", "unavailable", whole), ("other 5xx", "http_errors", whole), ("errors", "rpc_errors", whole),
    ("empty 200", "empty", whole), ("late", "late", whole), ("p50", "p50", seconds), ("p99", "p99", seconds),
    ("longest gap", "gap", seconds), ("long calls", "long_answered", whole), ("of", "long_calls", whole),
    ("streams ended", "streams_clean", whole), ("cut", "streams_cut", whole), ("reopened in 1 s", "reopened_in_a_second", whole),
    ("pods ended", "pods_ended", whole), ("exit p99", "exit_p99", seconds), ("longest", "exit_max", seconds),
    ("killed", "killed", whole), ("left", "left", whole),
)  # fmt: skip
BAD = ("lost", "crossings", "resets", "refused", "unavailable", "http_errors", "rpc_errors", "empty", "streams_cut", "killed", "left")


def text(record):
    """One drill, for a terminal."""
    f = record["figures"]
    lags = ", ".join(f"{lag:g}" for lag in record["lags"])
    lines = [
        f"{record['scenario']} {record['title']}: {record['gateway']} behind {record['balancer']} ({lags} s late)"
        + (f", at {record['scale']:g} of real life" if record["scale"] != 1 else "")
    ]
    cells = [f"{title} {unit(f[key])}" for title, key, unit in COLUMNS]
    for n in range(0, len(cells), 9):
        lines.append("  " + ", ".join(cells[n : n + 9]))
    for what, first, last in growth(record["samples"]):
        lines.append(f"  {what}: {first} after a tenth, {last} at the end")
    return "\n".join([*lines, *(f"  note: {note}" for note in record["notes"])])


def growth(samples):
    """What was gauged after a tenth of the cycles, and at the end."""
    if not samples:
        return []
    early, last = samples[len(samples) // 10], samples[-1]
    return [(what, early[what], last[what]) for what in last if what != "at"]


def escape(value):
    return html.escape(str(value))


def outcome_of(request, deleted):
    if request["crossed"]:
        return "crossed"
    if not request["ok"]:
        return "told" if request["told"] else "lost"
    if len(request["attempts"]) > 1:
        return "again"
    attempt = request["attempts"][-1]
    return "late" if attempt["at"] > deleted.get(attempt.get("pod"), float("inf")) else "ok"


class Timeline:
    """An SVG that grows downwards, with one axis of time for all of it."""

    def __init__(self, record):
        self.r, self.y, self.parts = record, 0, []
        self.end = max([record["seconds"] - 0.001, 1])
        self.deleted = {p["name"]: p["deleted"] for p in record["pods"] if p["deleted"] is not None}

    def x(self, at):
        return LEFT + max(0.0, min(at / self.end, 1.0)) * (WIDTH - LEFT - RIGHT)

    def put(self, part):
        self.parts.append(part)

    def rect(self, began, ended, y, height, css, title=""):
        x, width = self.x(began), max(self.x(ended) - self.x(began), 0.8)
        tip = f"<title>{escape(title)}</title>" if title else ""
        self.put(f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">{tip}</rect>')

    def label(self, text, y, css="lane"):
        self.put(f'<text class="{css}" x="{LEFT - 10}" y="{y:.1f}" text-anchor="end">{escape(text)}</text>')

    def heading(self, text):
        self.y += 22
        self.put(f'<text class="head" x="{LEFT}" y="{self.y - 7}">{escape(text)}</text>')

    def pods(self):
        self.heading("Pods: phases; ticks where a balancer stops sending new connections")
        pods = [p for p in self.r["pods"] if p["phases"]]
        many = len(pods) > MANY
        row = max(300 / len(pods), 0.8) if many else 20
        for p in pods:
            phases = [*p["phases"], (p["exited"] if p["exited"] is not None else self.end, None)]
            for (began, phase), (ended, _) in zip(phases, phases[1:]):
                if phase == "exiting":
                    ended = max(ended, began)
                tip = f"{p['name']}: {PHASES[phase]} {began:.1f} s to {ended:.1f} s"
                self.rect(began, ended, self.y + (0 if many else 3), row if many else row - 6, f"p-{phase}", tip)
            if not many:
                self.label(p["name"], self.y + row - 6)
                self.ticks(p, row)
            self.y += row

    def ticks(self, pod, row):
        if pod["deleted"] is None:
            return
        for b in self.r["balancers"]:
            at = next((at for at, known in b["learned"] if at >= pod["deleted"] and pod["name"] not in known), None)
            if at is not None:
                x = self.x(at)
                tip = f"<title>the balancer that is {b['lag']:g} s late stops at {at:.1f} s</title>"
                self.put(f'<path class="tick" d="M{x:.1f} {self.y + 1:.1f}v{row - 2}">{tip}</path>')

    def bucket_seconds(self):
        return next((s for s in (0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10) if self.end / s <= BUCKETS), 20)

    def requests(self):
        size, height = self.bucket_seconds(), 120
        counts = collections.defaultdict(collections.Counter)
        for r in self.r["requests"]:
            if r["what"] != "long":
                counts[int(r["done"] / size)][outcome_of(r, self.deleted)] += 1
        most = max((sum(c.values()) for c in counts.values()), default=1)
        real = size * self.r["scale"]
        self.heading(f"Requests by what became of them, each {size:g} s")
        for part in (0, 0.5, 1):
            y = self.y + height - part * height
            self.put(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            if part:
                self.label(f"{most * part / real:.0f} per s", y + 4, "unit")
        for bucket, count in sorted(counts.items()):
            y = self.y + height
            for outcome, title in OUTCOMES.items():
                if count[outcome]:
                    tall = max(count[outcome] / most * height, 3 if outcome not in ("ok", "late") else 0.5)
                    y -= tall
                    tip = f"{bucket * size:g} s: {count[outcome]} {title}"
                    self.rect(bucket * size, (bucket + 0.88) * size, y, tall, f"o-{outcome}", tip)
        self.y += height + 2

    def waits(self):
        size, height = self.bucket_seconds(), 46
        longest = collections.defaultdict(float)
        for r in self.r["requests"]:
            if r["what"] != "long" and r["ok"]:
                longest[int(r["done"] / size)] = max(longest[int(r["done"] / size)], r["done"] - r["at"])
        most = max(longest.values(), default=1) or 1
        self.heading("Longest wait for an answer, retries included")
        self.label(seconds(most), self.y + 9, "unit")
        self.put(f'<path class="grid" d="M{LEFT} {self.y + height}H{WIDTH - RIGHT}"/>')
        for bucket, wait in longest.items():
            tall = max(wait / most * height, 0.5)
            self.rect(bucket * size, (bucket + 0.88) * size, self.y + height - tall, tall, "wait", f"{bucket * size:g} s: {seconds(wait)}")
        self.y += height + 2

    def long_calls(self):
        calls = [r for r in self.r["requests"] if r["what"] == "long"]
        if not calls:
            return
        self.heading("Long calls, a row for each client")
        rows = sorted({r["client"] for r in calls}, key=lambda name: int(name[1:]))
        row = 7 if len(rows) <= 24 else 4
        for r in calls:
            y = self.y + rows.index(r["client"]) * row
            tip = f"{r['client']}: {r['at']:.1f} s to {r['done']:.1f} s, {OUTCOMES[outcome_of(r, self.deleted)]}"
            gone = self.deleted.get(r["attempts"][-1].get("pod"))
            outcome = outcome_of(r, self.deleted)
            if r["ok"] and gone is not None and r["at"] < gone < r["done"]:
                self.rect(r["at"], gone, y, row - 2, "o-ok", tip)
                self.rect(gone, r["done"], y, row - 2, "o-late", tip + f", by a pod that was deleted at {gone:.1f} s")
            else:
                self.rect(r["at"], r["done"], y, row - 2, f"o-{outcome}", tip)
        self.label(f"{len(rows)} clients", self.y + len(rows) * row / 2 + 4)
        self.y += len(rows) * row + 2

    def streams(self):
        streams = [s for s in self.r["streams"] if s["kind"] != "not_offered"]
        if not streams:
            return
        self.heading("Streams, a row for each client")
        rows = sorted({s["client"] for s in streams}, key=lambda name: int(name[1:]))
        row = 4 if len(rows) <= 60 else 2.4
        for s in streams:
            y, ended = self.y + rows.index(s["client"]) * row, s["ended"] if s["ended"] is not None else self.end
            css = "stream" if s["kind"] in ("open", "clean") else "o-lost"
            tip = f"{s['client']} at {s['pod']}: {s['opened']:.1f} s to {ended:.1f} s, {s['kind']}"
            self.rect(s["opened"], ended, y, row - 1, css, tip)
        self.label(f"{len(rows)} clients", self.y + len(rows) * row / 2 + 4)
        self.y += len(rows) * row + 2

    def samples(self):
        if not self.r["samples"]:
            return
        for what in ("stayer's memory", "stayer's descriptors", "processes", "sockets"):
            points, height = [(s["at"], s[what]) for s in self.r["samples"]], 40
            most = max(value for _, value in points) or 1
            self.heading(f"{what.capitalize()}{' in KiB' if 'memory' in what else ''}, after each cycle")
            self.label(whole(most), self.y + 9, "unit")
            line = " ".join(f"{self.x(at):.1f},{self.y + height - value / most * height:.1f}" for at, value in points)
            self.put(f'<path class="grid" d="M{LEFT} {self.y + height}H{WIDTH - RIGHT}"/><polyline class="line" points="{line}"/>')
            self.y += height + 2

    def exits(self):
        ended = [p for p in self.r["pods"] if p["exit_seconds"] is not None]
        if len(ended) <= MANY:
            return
        height, most = 60, max(p["exit_seconds"] for p in ended)
        self.heading("Seconds from SIGTERM to exit, a dot for each pod")
        self.label(seconds(most), self.y + 9, "unit")
        self.put(f'<path class="grid" d="M{LEFT} {self.y + height}H{WIDTH - RIGHT}"/>')
        for p in ended:
            y = self.y + height - p["exit_seconds"] / most * height
            self.put(f'<circle class="dot" cx="{self.x(p["exited"]):.1f}" cy="{y:.1f}" r="2"/>')
        self.y += height + 4

    def axis(self):
        step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120) if self.end / s <= 16), 300)
        for n in range(int(self.end / step) + 1):
            x = self.x(n * step)
            self.put(f'<path class="grid" d="M{x:.1f} 0V{self.y + 4:.1f}"/>')
            self.put(f'<text class="unit" x="{x:.1f}" y="{self.y + 18:.1f}" text-anchor="middle">{n * step} s</text>')
        for at, mark in self.r["marks"]:
            x = self.x(at)
            late = x > WIDTH * 0.8
            self.put(f'<path class="mark" d="M{x:.1f} 0V{self.y + 4:.1f}"/>')
            self.put(
                f'<text class="marked" x="{x + (-4 if late else 4):.1f}" y="{self.y + 34 + 13 * (self.r["marks"].index([at, mark] if [at, mark] in self.r["marks"] else (at, mark)) % 2):.1f}"'
                f' text-anchor="{"end" if late else "start"}">{escape(mark)}</text>'
            )
        self.y += 52

    def svg(self):
        for lane in (self.pods, self.requests, self.waits, self.long_calls, self.streams, self.exits, self.samples):
            lane()
        lanes, self.parts = self.parts, []
        self.axis()
        return f'<svg viewBox="0 0 {WIDTH} {self.y:.0f}" role="img">{"".join(self.parts)}{"".join(lanes)}</svg>'


def tiles(record):
    f = record["figures"]
    shown = [
        ("requests", whole(f["requests"]), f"{f['per_second']:.0f} a second", False),
        ("lost", whole(f["lost"]), "after a good client's retries", f["lost"]),
        ("resets", whole(f["resets"]), "and answers that broke off", f["resets"]),
        ("crossings", whole(f["crossings"]), "of a request and a goodbye", f["crossings"]),
        ("refused or 503", whole(f["refused"] + f["unavailable"] + f["http_errors"]), "tried again elsewhere", f["refused"] + f["unavailable"] + f["http_errors"]),
        ("longest gap", seconds(f["gap"]), f"p99 of waits {seconds(f['p99'])}", False),
        ("long calls", f"{f['long_answered']} of {f['long_calls']}", "answered", f["long_answered"] < f["long_calls"]),
        ("streams", f"{f['streams_clean']} ended", f"{f['streams_cut']} cut", f["streams_cut"]),
        ("exit", seconds(f["exit_p99"]), f"p99 of {f['pods_ended']} pods", f["killed"]),
    ]
    return "".join(
        f'<div class="tile{" bad" if bad else ""}"><b>{escape(value)}</b><span>{escape(name)}</span><i>{escape(more)}</i></div>'
        for name, value, more, bad in shown
    )


def section(record, number):
    lags = ", ".join(f"{lag:g}" for lag in record["lags"])
    chips = [record["gateway"], f"behind {record['balancer']}", f"{lags} s late"]
    if record["scale"] != 1:
        chips.append(f"durations times {record['scale']:g}")
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in record["notes"])
    grown = growth(record["samples"])
    table = ""
    if grown:
        rows = "".join(f"<tr><th>{escape(what)}</th><td>{whole(a)}</td><td>{whole(b)}</td></tr>" for what, a, b in grown)
        table = f"<table class='grown'><tr><th></th><td>after a tenth</td><td>at the end</td></tr>{rows}</table>"
    return (
        f"<section id='d{number}'><h2>{escape(record['scenario'])} · {escape(record['title'])}</h2>"
        f"<p class='chips'>{''.join(f'<span>{escape(c)}</span>' for c in chips)}</p><p>{escape(record['about'])}</p>"
        f"<div class='tiles'>{tiles(record)}</div>{Timeline(record).svg()}{table}{notes}</section>"
    )


def summary(records):
    head = "".join(f"<th>{escape(title)}</th>" for title, _, _ in COLUMNS)
    rows = []
    for n, r in enumerate(records):
        f = r["figures"]
        cells = "".join(
            f"<td{' class=bad' if key in BAD and f[key] else ''}>{escape(unit(f[key]) if f[key] is not None else '-')}</td>" for _, key, unit in COLUMNS
        )
        name = f"<a href='#d{n}'>{escape(r['scenario'])} {escape(r['title'])}</a><br><small>{escape(r['gateway'])}, {escape(r['balancer'])}</small>"
        rows.append(f"<tr><th>{name}</th>{cells}</tr>")
    return f"<div class='wide'><table><tr><th></th>{head}</tr>{''.join(rows)}</table></div>"


def legend():
    phases = "".join(f"<span><svg viewBox='0 0 12 12'><rect class='p-{css}' width='12' height='12'/></svg>{escape(name)}</span>" for css, name in PHASES.items())
    outcomes = "".join(f"<span><svg viewBox='0 0 12 12'><rect class='o-{css}' width='12' height='12'/></svg>{escape(name)}</span>" for css, name in OUTCOMES.items())
    return f"<p class='legend'><b>Phases</b>{phases}</p><p class='legend'><b>Requests</b>{outcomes}</p>"


STYLE = """
:root { --page: #f6f7f9; --card: #fff; --ink: #1d2430; --soft: #68717f; --line: #dfe3e9; --bad: #c8313a; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171c; --card: #1d2128; --ink: #e6e9ee; --soft: #98a1af; --line: #343a44; --bad: #ff7a7f; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1440px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; } h2 { font-size: 19px; margin: 0 0 8px; }
.sub, .note, small { color: var(--soft); } a { color: inherit; }
section, .wide { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px; margin: 20px 0; overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 8px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; text-align: left; } tr:first-child th { color: var(--soft); font-weight: 500; text-align: right; white-space: normal; vertical-align: bottom; }
td.bad { color: var(--bad); font-weight: 600; } .grown { margin-top: 12px; }
.chips span { display: inline-block; border: 1px solid var(--line); border-radius: 99px; padding: 1px 10px; margin-right: 6px; font-size: 13px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(112px, 1fr)); gap: 8px; margin: 14px 0 6px; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 8px 10px; line-height: 1.3; }
.tile b { display: block; font-size: 19px; font-variant-numeric: tabular-nums; white-space: nowrap; } .tile span { display: block; font-size: 13px; }
.tile i { font-style: normal; font-size: 11.5px; color: var(--soft); } .tile.bad b { color: var(--bad); }
.legend { font-size: 13px; margin: 4px 0; } .legend b { display: inline-block; width: 84px; font-weight: 600; }
.legend span { margin-right: 14px; white-space: nowrap; } .legend svg { display: inline; width: 11px; height: 11px; margin-right: 5px; }
svg { width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink); }
svg .head { font-weight: 600; font-size: 12px; } svg .unit { fill: var(--soft); } svg .marked { fill: var(--soft); font-style: italic; }
.grid { stroke: var(--line); fill: none; } .mark { stroke: var(--soft); stroke-dasharray: 3 3; } .tick { stroke: var(--ink); stroke-width: 1.4; }
.p-starting { fill: #b4bcc8; } .p-ready { fill: #4aa583; } .p-lame_duck { fill: #e7b23c; } .p-draining { fill: #dd7a2b; }
.p-stopping_backends { fill: #9a63bd; } .p-exiting { fill: #59606e; } .p-terminating { fill: #c79a6b; }
.o-ok { fill: #5d8fdc; } .o-late { fill: #e7b23c; } .o-again { fill: #9a63bd; } .o-crossed { fill: #d653a0; } .o-told { fill: #e2764f; } .o-lost { fill: #d8323c; }
.wait { fill: #8d97a6; } .stream { fill: #6fb7c4; } .line { fill: none; stroke: #5d8fdc; stroke-width: 1.5; } .dot { fill: #5d8fdc; opacity: 0.7; }
"""


def page(records, arguments):
    began = datetime.datetime.fromtimestamp(records[0]["began"] if records else 0, datetime.timezone.utc)
    where = f"{began:%-d %B %Y, %H:%M} UTC · {os.cpu_count()} CPUs, Linux {platform.release()} · ./dev drill {shlex.join(arguments)}"
    sections = "".join(section(r, n) for n, r in enumerate(records))
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>Sluice drill</title><style>{STYLE}</style></head><body><main><h1>The drill</h1><p class='sub'>{escape(where)}</p>"
        f"{legend()}{summary(records)}{sections}</main></body></html>"
    )
