#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Judges what tests/interop/cell has measured, one cell or the whole matrix (names of cells on standard input).

A cell is good when every transfer was whole and the median goodput of ixd is at least --least of the median of the
kernel in its place: same peer, relay and seeds. The kernel's own cubic on both ends of that path stands beside it.
"""

import argparse
import json
import os
import statistics
import sys


def runs_of(folder, cell):
    """Lines of a cell's file: who -> list of (seed, Mb/s), and what went wrong."""
    runs = {"ixd": {}, "kernel": {}}
    failed, late, seconds, size = 0, 0, [], 0
    path = os.path.join(folder, cell.replace(" ", "_") + ".runs")
    if os.path.exists(path):
        with open(path, encoding="ascii") as lines:
            for line in lines:
                who, seed, size, took, _, verdict, timeliness = line.split()
                if verdict == "whole":
                    # Not the rounded figure of the line: of 0.3 and 0.4 the ratio would be 0.75.
                    runs[who][int(seed)] = round(int(size) * 8 / float(took) / 1e6, 3)
                    seconds.append(float(took))
                else:
                    runs[who].pop(int(seed), None)
                late += timeliness == "late"
                # Stays on record, whatever a repetition brings; --fresh forgets.
                failed += verdict != "whole"
    return {"runs": runs, "failed": failed, "late": late, "seconds": seconds, "bytes": int(size)}


def judge(folder, cell, least, seeds):
    profile, role, peer = cell.split()
    found = runs_of(folder, cell)
    both = sorted(set(found["runs"]["ixd"]) & set(found["runs"]["kernel"]))
    result = {
        "profile": profile,
        "role": role,
        "peer": peer,
        "bytes": found["bytes"],
        "seeds": len(both),
        "failed": found["failed"],
        "late": found["late"],
        "ixd_mbps": [found["runs"]["ixd"][seed] for seed in both],
        "kernel_mbps": [found["runs"]["kernel"][seed] for seed in both],
    }
    if both:
        result["ixd_median"] = statistics.median(result["ixd_mbps"])
        result["kernel_median"] = statistics.median(result["kernel_mbps"])
        result["seconds"] = sorted(found["seconds"])
        result["median_s"] = statistics.median(found["seconds"])
        result["ratio"] = round(result["ixd_median"] / result["kernel_median"], 2) if result["kernel_median"] else 0.0
    is_judged = not os.environ.get("IXD_SAN")
    result["is_complete"] = len(both) >= seeds
    result["is_good"] = (
        result["is_complete"] and found["failed"] == 0 and (not is_judged or result["ratio"] >= least)
    )
    return result


def digits(mbps):
    return f"{mbps:.1f}" if mbps >= 10 else f"{mbps:.2f}"


def sentence(result, least):
    name = "{profile} {role} {peer}".format(**result)
    if result["failed"]:
        return f"not ok {name}: {result['failed']} transfers failed"
    if not result["seeds"]:
        return f"not ok {name}: nothing measured"
    text = "{}: ixd {}, kernel {} Mb/s, ratio {ratio:.2f} ({seeds} seeds, {median_s:.1f} s)".format(
        name, digits(result["ixd_median"]), digits(result["kernel_median"]), **result
    )
    if not result["is_complete"]:
        return f"not ok {text}: not complete"
    return f"ok {text}" if result["is_good"] else f"not ok {text}: below {least}"


def span(values):
    return f"{digits(min(values))}–{digits(max(values))}"


def table(results):
    """Medians, and from the least to the most of all runs; "cubic" is cubic on both ends, where that was measured."""
    lines = [
        "| profile | role of ixd | peer | MB | ixd Mb/s | kernel Mb/s | ratio | cubic | seeds | s | failed |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    cubic = {(r["profile"], r["role"]): r["kernel_median"] for r in results if r["peer"] == "cubic" and r["seeds"]}
    for r in results:
        if not r["seeds"]:
            lines.append("| {profile} | {role} | {peer} | | | | | | 0 | | {failed} |".format(**r))
            continue
        reference = cubic.get((r["profile"], r["role"]))
        lines.append(
            "| {profile} | {role} | {peer} | {mb:.1f} | {ixd} ({ixd_span}) | {kernel} "
            "({kernel_span}) | {ratio:.2f} | {cubic} | {seeds} | {took} | {failed} |".format(
                mb=r["bytes"] / 1048576,
                took=span(r["seconds"]),
                ixd=digits(r["ixd_median"]),
                kernel=digits(r["kernel_median"]),
                ixd_span=span(r["ixd_mbps"]),
                kernel_span=span(r["kernel_mbps"]),
                cubic=digits(reference) if reference else "",
                **r,
            )
        )
    return "\n".join(lines) + "\n"


def summary(results, least):
    """One line to quote: how the ratios of all complete cells are spread."""
    ratios = [r["ratio"] for r in results if r["is_complete"]]
    if not ratios:
        return "no cell is complete"
    below = sum(ratio < least for ratio in ratios)
    seconds = [took for r in results if r["is_complete"] for took in r["seconds"]]
    lasting = sum(5 <= took <= 20 for took in seconds)
    return (
        f"{len(ratios)} of {len(results)} cells complete; ratio to the kernel: least {min(ratios):.2f}, "
        f"median {statistics.median(ratios):.2f}, most {max(ratios):.2f}; {below} below {least}; "
        f"{lasting} of {len(seconds)} runs lasted 5 to 20 s ({span(seconds)})"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--least", type=float, required=True)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("--cell")
    parser.add_argument("--table")
    parser.add_argument("--json")
    args = parser.parse_args()
    if args.cell:
        result = judge(args.folder, args.cell, args.least, args.seeds)
        print(sentence(result, args.least))
        return 0 if result["is_good"] else 1
    results = [judge(args.folder, line.strip(), args.least, args.seeds) for line in sys.stdin]
    text = table(results)
    if args.table:
        with open(args.table, "w", encoding="utf-8") as out:
            out.write(text)
    if args.json:
        with open(args.json, "w", encoding="ascii") as out:
            json.dump({"least": args.least, "cells": results}, out, indent=1)
            out.write("\n")
    print(text)
    for result in results:
        if not result["is_good"]:
            print(sentence(result, args.least))
    print(summary(results, args.least))
    good = sum(r["is_good"] for r in results)
    unmeasured = sum(not r["is_complete"] and not r["failed"] for r in results)
    print(f"{good} passed, {len(results) - good - unmeasured} failed, {unmeasured} skipped")
    return 0 if good == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
