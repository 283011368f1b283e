"""Reads /metrics as strictly as the format is written down (Prometheus text format 0.0.4), and more strictly where the
habits of Prometheus say more: each family once, with HELP and TYPE before its samples, counters called _total, histograms
with cumulative buckets. Whatever is wrong raises an AssertionError."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
VALUE = re.compile(r"-?[0-9]+(\.[0-9]+)?|\+Inf")
UNITS = ("_ms", "_milliseconds", "_kb", "_percent", "_minutes")  # not base units


class Metrics:
    """All samples: {name: {labels as a sorted tuple of pairs: value}}, and the type of each family."""

    def __init__(self, text):
        self.types, self.helps, self.samples = {}, {}, {}
        self.text, self.family = text, None
        assert text.endswith("\n") and "\r" not in text and "\n\n" not in text
        for line in text[:-1].split("\n"):
            self._read(line)
        for name, kind in self.types.items():
            self._check_family(name, kind)

    def _read(self, line):
        if line.startswith("# HELP "):
            name, _, text = line[7:].partition(" ")
            assert name not in self.helps, f"{name}: two HELP"
            assert text.endswith(".") and "\\" not in text, line
            self.helps[name], self.family = text, name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == self.family and name not in self.types, f"{name}: TYPE without its HELP, or twice"
            assert kind in ("counter", "gauge", "histogram"), line
            self.types[name] = kind
        else:
            self._read_sample(line)

    def _read_sample(self, line):
        found = SAMPLE.fullmatch(line)
        assert found, line
        name, labels, value = found.groups()
        assert VALUE.fullmatch(value), line
        suffixes = ("_bucket", "_sum", "_count") if self.types[self.family] == "histogram" else ("",)
        assert name in [self.family + suffix for suffix in suffixes], f"{name} among those of {self.family}"
        key = self._read_labels(labels)
        series = self.samples.setdefault(name, {})
        assert key not in series, f"twice: {line}"
        series[key] = float(value)

    @staticmethod
    def _read_labels(text):
        if not text:
            return ()
        pairs, at = [], 0
        while True:
            found = LABEL.match(text, at)
            assert found, text
            pairs.append((found[1], re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])))
            at = found.end()
            if at == len(text):
                break
            assert text[at] == ",", text
            at += 1
        assert len({name for name, _ in pairs}) == len(pairs), text
        return tuple(sorted(pairs))

    def _check_family(self, name, kind):
        assert re.fullmatch(NAME, name) and not name.endswith(UNITS), name
        assert name.endswith("_total") == (kind == "counter"), f"{name} is a {kind}"
        if kind == "histogram":
            self._check_histogram(name)
        elif kind == "counter":
            assert all(value >= 0 for value in self.samples.get(name, {}).values())

    def _check_histogram(self, name):
        assert name.endswith("_seconds"), name
        counts, sums = self.samples.get(f"{name}_count", {}), self.samples.get(f"{name}_sum", {})
        buckets = {}
        for key, value in self.samples.get(f"{name}_bucket", {}).items():
            labels = dict(key)
            bound = float(labels.pop("le"))
            buckets.setdefault(tuple(sorted(labels.items())), []).append((bound, value))
        assert buckets.keys() == counts.keys() == sums.keys(), name
        for key, series in buckets.items():
            assert series == sorted(series), f"{name}{key}: bounds or counts do not ascend"
            assert [v for _, v in series] == sorted(v for _, v in series), f"{name}{key}: not cumulative"
            assert series[-1] == (float("inf"), counts[key]), f"{name}{key}: +Inf is not the count"
            assert (sums[key] == 0) or counts[key] > 0, f"{name}{key}: a sum without a count"

    def value(self, name, **labels):
        return self.samples[name][tuple(sorted(labels.items()))]

    def total(self, name, **labels):
        """The sum of all series that have these labels, as sum(name{...}) in PromQL."""
        wanted = set(labels.items())
        return sum(value for key, value in self.samples.get(name, {}).items() if wanted <= set(key))

    def series(self):
        return {(name, key): value for name, all in self.samples.items() for key, value in all.items()}

    def counts(self):
        """What must never fall: counters, and the counts of histograms."""
        rising = {name for name, kind in self.types.items() if kind == "counter"}
        rising |= {n + suffix for n, kind in self.types.items() if kind == "histogram" for suffix in ("_bucket", "_count", "_sum")}
        return {series: value for series, value in self.series().items() if series[0] in rising}

    def label_names(self):
        """{family: the names of its labels}, without `le`."""
        names = {name: set() for name in self.types}
        for name, all in self.samples.items():
            family = next(f for f in (name, name.rpartition("_")[0]) if f in self.types)
            for key in all:
                names[family] |= {label for label, _ in key} - {"le"}
        return names


def scrape(s):
    """What a gateway says now; its counts must not have fallen since it was asked last."""
    r = s.get("/metrics", admin=True)
    assert (r.status, r.header("content-type")) == (200, "text/plain; version=0.0.4; charset=utf-8"), r
    metrics = Metrics(r.body.decode())
    for series, value in getattr(s, "last_counts", {}).items():
        assert metrics.counts().get(series, value) >= value, f"{series} has fallen from {value}"
    s.last_counts = metrics.counts()
    return metrics
