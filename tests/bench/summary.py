#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Medians, spreads and ratios of a bench: summary.py SAMPLES FOLDER writes results.json and results.md."""
import json
import os
import statistics
import sys

# figure: (words, is more better)
FIGURES = {
    "rtt_p50_us": ("64-byte round trip, median, µs", False),
    "rtt_p99_us": ("64-byte round trip, 99th percentile, µs", False),
    "msgs_64": ("64-byte messages/s, 64 connections", True),
    "msgs_1024": ("64-byte messages/s, 1024 connections", True),
    "download_gbps": ("download of one connection, Gb/s", True),
    "upload_gbps": ("upload of one connection, Gb/s", True),
}


def read(path):
    samples = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            contender, figure, value = line.split("\t")
            samples.setdefault(figure, {}).setdefault(contender, []).append(float(value))
    return samples


def summarise(samples):
    figures = {}
    for figure, (_, more_is_better) in FIGURES.items():
        by = samples.get(figure, {})
        row = {
            name: {
                "median": statistics.median(values),
                "min": min(values),
                "max": max(values),
                "samples": values,
            }
            for name, values in by.items()
        }
        kernels = [name for name in row if name.startswith("kernel")]
        if "ixd" in row and kernels:
            pick = max if more_is_better else min
            best = pick(kernels, key=lambda name: row[name]["median"])
            ours, theirs = row["ixd"], row[best]
            row["ratio"] = ours["median"] / theirs["median"] if theirs["median"] else None
            row["against"] = best
            # Where the ranges of the two overlap, the machine was too noisy to call one of them faster.
            row["is_clear"] = ours["min"] > theirs["max"] or ours["max"] < theirs["min"]
        figures[figure] = row
    return figures


def table(figures):
    names = ["kernel_block", "kernel_spin", "ixd"]
    lines = [
        "| figure | " + " | ".join(names) + " | ixd ÷ best kernel | |",
        "|---|" + "---|" * (len(names) + 2),
    ]
    for figure, (words, _) in FIGURES.items():
        row = figures[figure]
        cells = []
        for name in names:
            cell = row.get(name)
            cells.append("–" if cell is None else f"{cell['median']:.4g} ({cell['min']:.4g}–{cell['max']:.4g})")
        ratio = row.get("ratio")
        note = "" if row.get("is_clear") else "ranges overlap: no verdict"
        lines.append(f"| {words} | " + " | ".join(cells) + f" | {'–' if ratio is None else format(ratio, '.2f')} | {note} |")
    return "\n".join(lines) + "\n"


def main():
    samples_path, folder = sys.argv[1:3]
    figures = summarise(read(samples_path))
    missing = [figure for figure in FIGURES if "ratio" not in figures[figure]]
    result = {
        "machine": {"cpus": os.cpu_count(), "kernel": os.uname().release, "load": os.getloadavg()},
        "figures": figures,
        "ratios": {figure: row.get("ratio") for figure, row in figures.items()},
    }
    with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)
    with open(os.path.join(folder, "results.md"), "w", encoding="utf-8") as out:
        out.write("Medians (least–largest) of interleaved rounds; server side on one CPU, client on another.\n\n")
        out.write(table(figures))
    if missing:
        sys.exit(f"no result for {', '.join(missing)}")


if __name__ == "__main__":
    main()
