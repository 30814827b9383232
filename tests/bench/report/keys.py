# SPDX-License-Identifier: BSD-2-Clause
"""What is claimed: each key of `ratios` in results.json, how it follows from the samples, and its target."""
import stats

KERNEL_SPIN = ("kernel_spin", "uring_spin")
KERNEL_SLEEP = ("kernel_block", "uring_block")
KERNEL = KERNEL_SPIN + KERNEL_SLEEP


class Samples:
    """Values by figure, contender and x, in order of the rounds."""

    def __init__(self, lines):
        self.lines = lines

    def get(self, figure, contender, x=None):
        return [
            line["value"]
            for line in self.lines
            if line["figure"] == figure and line["contender"] == contender and (x is None or line["x"] == x)
        ]

    def contenders(self, figure):
        return list(dict.fromkeys(line["contender"] for line in self.lines if line["figure"] == figure))

    def xs(self, figure, contender):
        found = {
            line["x"] for line in self.lines if line["figure"] == figure and line["contender"] == contender
        }
        return sorted(found - {None})

    def best(self, figure, contenders, is_more_better):
        """Of the contenders that were measured, the one with the best median."""
        measured = [name for name in contenders if self.get(figure, name)]
        pick = max if is_more_better else min
        return pick(measured, key=lambda name: stats.median(self.get(figure, name)), default=None)


class Missing(Exception):
    """A figure that was not measured."""


def term(samples, figure, ours, contenders, is_more_better, x=None):
    """One comparison: ours against the best of the contenders."""
    best = samples.best(figure, contenders, is_more_better)
    our_values = samples.get(figure, ours, x)
    if not our_values:
        raise Missing(f"no sample of {figure} of {ours}")
    if best is None:
        raise Missing(f"no sample of {figure} of {', '.join(contenders)}")
    if stats.median(samples.get(figure, best, x)) == 0:
        raise Missing(f"{figure} of {best}, the best, is 0: there is no ratio")
    result = stats.compare(our_values, samples.get(figure, best, x))
    result.update({"figure": figure, "ours": ours, "against": best, "value": result["ratio"]})
    result["samples"] = {ours: our_values, best: samples.get(figure, best, x)}
    return result


def against(*comparisons, is_more_better):
    """A key that is a ratio; of several comparisons the worst one counts, and all stand beside it."""

    def evaluate(samples):
        terms = [
            term(samples, figure, ours, contenders, is_more_better) for figure, ours, contenders in comparisons
        ]
        worst = (min if is_more_better else max)(terms, key=lambda each: each["value"])
        result = dict(worst)
        if len(terms) > 1:
            result["parts"] = terms
        return result

    return evaluate


def difference(figure, ours, theirs):
    def evaluate(samples):
        mine, other = samples.get(figure, ours), samples.get(figure, theirs)
        if not mine or not other:
            raise Missing(f"no sample of {figure} of {ours if not mine else theirs}")
        result = stats.compare(mine, other)
        result["interval"] = stats.combined_interval(mine, other, lambda a, b: a - b)
        result["value"] = stats.median(mine) - stats.median(other)
        result["samples"] = {ours: mine, theirs: other}
        result.update({"figure": figure, "ours": ours, "against": theirs})
        return result

    return evaluate


def absolute(figure, ours, extra=()):
    """A figure by itself; the medians of `extra` are added to it."""

    def evaluate(samples):
        values = samples.get(figure, ours)
        if not values:
            raise Missing(f"no sample of {figure} of {ours}")
        more = [samples.get(name, ours) for name in extra]
        if not all(more):
            raise Missing(f"no sample of {', '.join(extra)} of {ours}")
        add = sum(stats.median(each) for each in more)
        return {
            "figure": figure,
            "ours": ours,
            "value": stats.median(values) + add,
            "interval": [bound + add for bound in stats.single_interval(values)],
            "samples": {ours: values, **{name: each for name, each in zip(extra, more)}},
        }

    return evaluate


def of_peak(figure, ours, x):
    """The value at one x against the best over all x, of the same contender."""

    def evaluate(samples):
        xs = samples.xs(figure, ours)
        if x not in xs:
            raise Missing(f"no sample of {figure} at {x}")
        peak = max(xs, key=lambda each: stats.median(samples.get(figure, ours, each)))
        result = stats.compare(samples.get(figure, ours, x), samples.get(figure, ours, peak))
        result.update({"figure": figure, "ours": f"{ours} at {x}", "against": f"{ours} at {peak}"})
        result["value"] = result["ratio"]
        result["samples"] = {each: samples.get(figure, ours, each) for each in (x, peak)}
        return result

    return evaluate


def bounds(samples):
    """B = 64 against B = 1: throughput; the tail at low load beside it."""
    many, one = (samples.get("batch_msgs", "ixd_spin", bound) for bound in (64, 1))
    tail_many, tail_one = (samples.get("batch_low_p99_us", "ixd_spin", bound) for bound in (64, 1))
    if not many or not one:
        raise Missing("no sample of batch_msgs")
    result = stats.compare(many, one)
    result.update({"figure": "batch_msgs", "ours": "B = 64", "against": "B = 1", "value": result["ratio"]})
    result["samples"] = {"B = 64": many, "B = 1": one}
    if tail_many and tail_one:
        tail = stats.compare(tail_many, tail_one)
        tail["samples"] = {"B = 64": tail_many, "B = 1": tail_one}
        result["p99_at_low_load"] = tail
    return result


def scaling(samples):
    """Two cores against one, of each contender."""
    found = {}
    for name in samples.contenders("msgs_2_cores"):
        one, two = samples.get("msgs_1_cores", name), samples.get("msgs_2_cores", name)
        if one and two:
            found[name] = {**stats.compare(two, one), "samples": {"1": one, "2": two}}
    return found


MSGS = [("msgs_64", "ixd_spin", ("raw",)), ("msgs_1024", "ixd_spin", ("raw",))]
TO_AND_FROM = ("goodput_to_gbps", "goodput_from_gbps")
DEDICATED = ("kernel_client", "uring_client")

# key: (words, is more better, target, beyond, unit, evaluate)
KEYS = {
    "rtt_dedicated_p50": (
        "64 B round trip, p50, dedicated core, against the best spinning kernel client", False, 0.85, 0.7, "×",
        against(("rtt_dedicated_p50_us", "ixd_dedicated", DEDICATED), is_more_better=False)),
    "rtt_dedicated_p99": (
        "the same, p99", False, 0.85, 0.5, "×",
        against(("rtt_dedicated_p99_us", "ixd_dedicated", DEDICATED), is_more_better=False)),
    "rtt_dedicated_over_raw_us": (
        "the same p50, above raw AF_XDP", False, 1, None, "µs",
        difference("rtt_dedicated_p50_us", "ixd_dedicated", "raw")),
    "rtt_shared_spin": (
        "64 B round trip, p50, shared core, spinning against spinning", False, 1.3, 1, "×",
        against(("rtt_shared_p50_us", "ixd_spin", KERNEL_SPIN), is_more_better=False)),
    "rtt_shared_sleep": (
        "the same, sleeping against sleeping", False, 1, 0.9, "×",
        against(("rtt_shared_p50_us", "ixd_sleep", KERNEL_SLEEP), is_more_better=False)),
    "msgs_64": (
        "64 B messages/s, 64 connections, against the best kernel server", True, 2, 3, "×",
        against(("msgs_64", "ixd_spin", KERNEL), is_more_better=True)),
    "msgs_1024": (
        "64 B messages/s, 1024 connections, against the best kernel server", True, 2, 3, "×",
        against(("msgs_1024", "ixd_spin", KERNEL), is_more_better=True)),
    "msgs_vs_limit": (
        "the same against the raw AF_XDP reflector, the worse of both", True, 0.7, 0.85, "×",
        against(*MSGS, is_more_better=True)),
    "p999_1024": (
        "p99.9 at 1024 connections, against the best kernel server", False, 1, 0.3, "×",
        against(("p999_1024_us", "ixd_spin", KERNEL), is_more_better=False)),
    "msgs_64_both_ends": (
        "64 B messages/s, 64 connections, ixd at both ends", True, 400e3, 550e3, "/s",
        absolute("msgs_64_both_ends", "ixd_both")),
    "conn_rate": (
        "connections/s, each with one 64 B message, against the best kernel server", True, 2, 2.8, "×",
        against(("conn_rate", "ixd_spin", KERNEL), is_more_better=True)),
    "goodput_vs_cubic": (
        "goodput of one connection, the worse direction, against the kernel with cubic, MTU 1500", True, 1, 1.1,
        "×", against(*((each, "ixd_spin", KERNEL) for each in TO_AND_FROM), is_more_better=True)),
    "goodput_vs_limit": (
        "goodput of one connection, the worse direction, against raw AF_XDP one way", True, 0.85, 0.95, "×",
        None),
    "conns_250k_of_peak": (
        "messages/s with 250,000 connections, against own peak", True, 0.6, 0.8, "×",
        of_peak("many_msgs", "ixd_spin", 250000)),
    "bytes_per_idle_connection": (
        "memory per idle connection at 250,000", False, 1024, 640, "B",
        absolute("bytes_per_idle_connection", "ixd_spin", ("table_bytes_per_connection",))),
    "kv_usr_sla": (
        "key-value store, USR: requests/s at p99 < 500 µs (median slice), against the best kernel server",
        True, 2, 3.6, "×", against(("kv_usr_sla", "ixd_spin", KERNEL), is_more_better=True)),
    "idle_core_share": (
        "share of a core with 10,000 idle connections", False, 0.005, None, "",
        absolute("idle_core_share", "ixd_spin")),
    "batch_64_vs_1": ("batch bound 64 against 1: messages/s", True, 1.2, None, "×", bounds),
}


def goodput_vs_limit(samples):
    """The limit is measured in one direction; both of ours stand against it."""
    limit = samples.get("goodput_to_gbps", "raw")
    terms = []
    for figure in TO_AND_FROM:
        ours = samples.get(figure, "ixd_spin")
        if not ours or not limit:
            raise Missing(f"no sample of {figure} of {'raw' if ours else 'ixd_spin'}")
        result = stats.compare(ours, limit)
        result.update({"figure": figure, "ours": "ixd_spin", "against": "raw", "value": result["ratio"]})
        result["samples"] = {"ixd_spin": ours, "raw": limit}
        terms.append(result)
    return {**min(terms, key=lambda each: each["value"]), "parts": terms}


KEYS["goodput_vs_limit"] = KEYS["goodput_vs_limit"][:5] + (goodput_vs_limit,)


def reaches(value, target, is_more_better):
    return value >= target if is_more_better else value <= target


def judge(samples, reasons):
    """`ratios` and `evidence` of results.json. reasons: why a key has no sample, as far as it is known."""
    ratios, evidence = {}, {}
    for key, (words, is_more_better, target, beyond, unit, evaluate) in KEYS.items():
        row = {"words": words, "unit": unit, "is_more_better": is_more_better, "target": target, "beyond": beyond}
        try:
            row.update(evaluate(samples))
        except Missing as missing:
            row["missing"] = "; ".join(reasons.get(key, [])) or str(missing)
            ratios[key] = None
        else:
            ratios[key] = row["value"]
            is_met = reaches(row["value"], target, is_more_better)
            # On one side of the target with the whole interval, not with the median alone.
            row["is_sure"] = all(reaches(bound, target, is_more_better) == is_met for bound in row["interval"])
            # Noise that is larger than the difference, and lies on both sides of the target, says nothing.
            is_told = row["is_sure"] or row.get("verdict") != "no verdict"
            row["is_met"] = is_met if is_told else None
            row["is_beyond"] = is_told and beyond is not None and reaches(row["value"], beyond, is_more_better)
        evidence[key] = row
    return ratios, evidence
