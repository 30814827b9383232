#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""summary.py FOLDER --rounds N --parts "A B" [--quick]: results.json, results.md and plots from samples.jsonl,
notes.jsonl and machine.json in FOLDER."""
import argparse
import json
import math
import os
import sys

import keys
import stats
import table

PART_OF_KEY = {
    "rtt": ("rtt_dedicated_p50", "rtt_dedicated_p99", "rtt_dedicated_over_raw_us", "rtt_shared_spin",
            "rtt_shared_sleep"),
    "msgs": ("msgs_64", "msgs_1024", "msgs_vs_limit", "p999_1024", "msgs_64_both_ends"),
    "conn": ("conn_rate",),
    "bulk": ("goodput_vs_cubic", "goodput_vs_limit"),
    "many": ("conns_250k_of_peak", "bytes_per_idle_connection"),
    "kv": ("kv_usr_sla",),
    "batch": ("batch_64_vs_1",),
    "idle": ("idle_core_share",),
    "cores": (),  # reported, no target
}  # fmt: skip


def lines_of(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def reasons_of(notes, parts):
    """Why keys have no sample: their part was not asked for, a note about the key, or a fault of its part."""
    reasons = {}
    for part, names in PART_OF_KEY.items():
        for key in names:
            if part not in parts:
                reasons.setdefault(key, []).append(f'part "{part}" was not asked for')
            texts = [note["text"] for note in notes if note["kind"] == "missing" and note["key"] == key] or [
                note["text"] for note in notes if note["kind"] == "fault" and note["key"] in (key, part)
            ]
            reasons.setdefault(key, []).extend(texts)
    return {key: list(dict.fromkeys(texts)) for key, texts in reasons.items()}


def figures_of(samples):
    """Every figure, contender and x with median and spread."""
    figures = {}
    for line in samples.lines:
        figures.setdefault(line["figure"], {}).setdefault(line["contender"], set()).add(line["x"])
    return {
        figure: {
            name: [
                {"x": x, **stats.summary(samples.get(figure, name, x))}
                for x in sorted(xs, key=lambda each: -1 if each is None else each)
            ]
            for name, xs in contenders.items()
        }
        for figure, contenders in figures.items()
    }


def losses_of(samples):
    """What was lost or went wrong in measured turns, by contender; nothing is left out of the claims for it."""
    losses = {}
    for line in samples.lines:
        for field in ("errors", "retransmits", "rx_ring_drops"):
            if line.get(field):
                found = losses.setdefault(line["contender"], {}).setdefault(line["part"], {})
                found[field] = max(found.get(field, 0), line[field])
    return losses


def results_of(folder, options):
    notes = lines_of(os.path.join(folder, "notes.jsonl"))
    samples = keys.Samples(lines_of(os.path.join(folder, "samples.jsonl")))
    with open(os.path.join(folder, "machine.json"), encoding="utf-8") as file:
        machine = json.load(file)
    ratios, evidence = keys.judge(samples, reasons_of(notes, options.parts.split()))
    known = {note["key"] for note in notes if note["kind"] == "missing"}
    for key, row in evidence.items():
        row["is_known"] = key in known or "there is no ratio" in row.get("missing", "")
    return {
        "ratios": ratios,
        "evidence": evidence,
        "machine": machine,
        "run": {"rounds": options.rounds, "is_quick": options.quick, "parts": options.parts.split()},
        "limits": [note["text"] for note in notes if note["kind"] == "limit"],
        "settings": {note["key"]: note["text"] for note in notes if note["kind"] == "setting"},
        "faults": [f"{note['key']}: {note['text']}" for note in notes if note["kind"] == "fault"],
        "losses": losses_of(samples),
        "two_cores_against_one": keys.scaling(samples),
        "figures": figures_of(samples),
    }


def finite(value):
    """JSON has no infinity: the ratio to nothing is null."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def unexplained(results, parts):
    """Keys of the parts that were asked for, which have no value because something went wrong."""
    wanted = [key for part in parts for key in PART_OF_KEY[part]]
    return [key for key in wanted if "missing" in results["evidence"][key] and not results["evidence"][key]["is_known"]]


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def plot_all(results, folder):
    """The plots, or a sentence about what they need."""
    try:
        import plots  # pylint: disable=import-outside-toplevel # an optional package
    except ImportError as error:
        return f"no plots: {error} (make deps-bench)"
    plots.draw(results, folder)
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--parts", default=" ".join(PART_OF_KEY))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    results = finite(results_of(options.folder, options))
    write(os.path.join(options.folder, "results.json"), json.dumps(results, indent=1, allow_nan=False) + "\n")
    write(os.path.join(options.folder, "results.md"), table.document(results))
    excuse = plot_all(results, options.folder)
    if excuse:
        print(excuse)
    # One turn of many that failed is told; a claim that nobody could measure is a failure.
    print("\n".join(results["faults"]))
    absent = unexplained(results, options.parts.split())
    if absent:
        sys.exit(f"not measured: {', '.join(absent)}")


if __name__ == "__main__":
    main()
