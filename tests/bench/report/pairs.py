#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""pairs.py FOLDER NAME: judges pairs of measurements of two builds; exit status 1 if one figure became worse."""
import json
import os
import sys

import stats

TOLERANCE = 0.03
ALPHA = 0.05  # of the whole table; each figure has its share

# figure: (words, is more better)
FIGURES = {
    "rtt_us": ("64 B round trip, p50, µs", False),
    "msgs_64": ("messages/s, 64 connections", True),
    "p99_64_us": ("p99 of these, µs", False),
    "msgs_1024": ("messages/s, 1024 connections", True),
    "conn_rate": ("connections/s", True),
    "goodput_from_gbps": ("goodput from the server, Gb/s", True),
    "goodput_to_gbps": ("goodput to the server, Gb/s", True),
}


def pairs_of(lines, figure):
    """Values of both builds in the rounds in which both were measured."""
    found = {}
    for line in lines:
        if line["figure"] == figure:
            found.setdefault(line["round"], {})[line["contender"]] = line["value"]
    both = [found[key] for key in sorted(found) if len(found[key]) == 2 and all(found[key].values())]
    return [each["base"] for each in both], [each["new"] for each in both]


def judge(lines):
    results = {}
    for figure, (words, is_more_better) in FIGURES.items():
        base, new = pairs_of(lines, figure)
        if len(base) < 2:
            results[figure] = {"words": words, "verdict": "not measured", "pairs": len(base)}
            continue
        row = stats.paired_regression(base, new, is_more_better, TOLERANCE, ALPHA / len(FIGURES))
        row.update({"words": words, "pairs": len(base), "base": base, "new": new})
        row.update({"base_median": stats.median(base), "new_median": stats.median(new)})
        results[figure] = row
    return results


def text_of(results, name):
    lines = [
        f"Against {name}; pairs measured one after the other, sign-flip permutation test.",
        "",
        "| | base | new | better by | p | |",
        "|---|---|---|---|---|---|",
    ]
    for row in results.values():
        if "base" not in row:
            lines.append(f"| {row['words']} | – | – | – | – | {row['verdict']} |")
            continue
        lines.append(
            f"| {row['words']} | {row['base_median']:.4g} | {row['new_median']:.4g} | {row['change']:+.1%} "
            f"| {row['p']:.3g} | {row['verdict']} |"
        )
    return "\n".join(lines) + "\n"


def main():
    folder, name = sys.argv[1:3]
    with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as file:
        results = judge([json.loads(line) for line in file])
    with open(os.path.join(folder, "check.json"), "w", encoding="utf-8") as file:
        json.dump({"base": name, "figures": results}, file, indent=1)
    print(text_of(results, name), end="")
    bad = [row for row in results.values() if row["verdict"] in ("regression", "not measured")]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
