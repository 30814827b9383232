#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""readme.py RESULTS.JSON README.md: writes the performance section between its two markers. With --baseline FILE
REVISION the ratios become the tree's baseline."""
import json
import re
import sys

import table

BEGIN, END = "<!-- performance: begin (make bench-readme) -->", "<!-- performance: end -->"


def row_of(row):
    if "missing" in row:
        return f"| {row['words']} | not measured | {table.target_of(row)} | {row['missing']} |"
    return (
        f"| {row['words']} | **{table.value_of(row)}** ({table.spread_of(row)}) | {table.target_of(row)} "
        f"| {table.met_of(row)} |"
    )


def claims(results):
    if results["run"]["is_quick"]:
        sys.exit("readme.py: a quick run is no claim; run the whole bench")
    about = results["machine"]
    lines = [
        BEGIN,
        f"One run of `make bench` ({about['started'][:10]}, revision {about['versions']['ixd']}): medians of "
        f"{results['run']['rounds']} rounds in which the contenders took turns, in parentheses where the median "
        "lies when the rounds are resampled (95 %). Against the kernel means: against the best of epoll and "
        "io_uring, sleeping and spinning, with cubic and packets of the MTU's size, same server logic, same "
        "generator. *Within the noise* means that the interval lies on both sides of the target, *no verdict* that "
        "the noise is larger than the difference besides.",
        "",
    ]
    if about["warnings"]:
        lines += [
            "**The machine was not quiet** during this run: " + "; ".join(about["warnings"]) + ". Where other "
            "programs run, a percentile near 4 ms is their time slice, and says nothing about either side.",
            "",
        ]
    lines += [
        "| | ixd | target | met |",
        "|---|---|---|---|",
    ]
    lines += [row_of(row) for row in results["evidence"].values()]
    lines += ["", *table.contenders(results), "", *table.connections(results), "", *table.machine(results), END]
    return "\n".join(lines)


def baseline(results, path, revision):
    machine = results["machine"]
    data = {
        "revision": revision,
        "machine": {key: machine[key] for key in ("cpu", "cpus", "kernel", "hypervisor", "started")},
        "rounds": results["run"]["rounds"],
        "ratios": results["ratios"],
        "intervals": {key: row["interval"] for key, row in results["evidence"].items() if "interval" in row},
    }
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(data, indent="\t") + "\n")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    if sys.argv[2] == "--baseline":
        baseline(results, *sys.argv[3:5])
        return
    with open(sys.argv[2], encoding="utf-8") as file:
        text = file.read()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    if not pattern.search(text):
        sys.exit(f"{sys.argv[2]}: the line {BEGIN} is missing")
    text = pattern.sub(lambda _: claims(results), text)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
