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


ELSEWHERE = ("calibration_msgs_plain", "calibration_msgs_gro")


def elsewhere(results):
    """What the kernel does that may have the generator's CPU as well. Short turns, so told and not claimed."""
    figures = results["figures"]
    ways = [figures.get(figure, {}) for figure in ELSEWHERE]
    servers = {name for way in ways for name in way}
    found = sorted(max(way[name][0]["median"] for way in ways if name in way) for name in servers)
    ours = figures.get("msgs_64", {}).get("ixd_spin")
    if not found or not ours or found[0] <= 0:
        return []
    least, most = (table.number(ours[0]["median"] / each) for each in (found[-1], found[0]))
    return [
        "On a shared core the kernel's contenders do all of their work on the server's CPU, as ixd does. Where the "
        f"kernel may leave its receive side to the generator's CPU, its servers made {found[0] / 1e3:.0f} to "
        f"{found[-1] / 1e3:.0f} thousand messages/s with 64 connections, each in a short turn before the rounds; ixd's "
        f"figure below is {least} to {most} times these.",
        "",
    ]


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
    lines += elsewhere(results)
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
