# SPDX-License-Identifier: BSD-2-Clause
"""The figures of a run as PNG: medians, and bars from the least to the largest sample."""
import os

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # noqa: E402 # pylint: disable=wrong-import-position

from table import NAMES  # noqa: E402 # pylint: disable=wrong-import-position

COLOURS = {
    "kernel_block": "#1f77b4", "kernel_spin": "#17becf", "uring_block": "#9467bd", "uring_spin": "#e377c2",
    "kernel_many": "#1f77b4", "kernel_tso": "#8c564b", "kernel_client": "#17becf", "uring_client": "#e377c2",
    "ixd_spin": "#d62728", "ixd_sleep": "#ff7f0e", "ixd_client": "#d62728", "ixd_dedicated": "#2ca02c", "raw": "#7f7f7f",
    "raw_live": "#bcbd22", "ixd_both": "#d62728",
}  # fmt: skip
MARKERS = {"kernel": "s", "uring": "^", "ixd": "o", "raw": "x"}

# file: (title, [(figure, words of y, factor, is logarithmic)], words of x, is x logarithmic in base 2 / 10)
CURVES = {
    "fig2-sizes": (
        "Echo by message size, one connection, shared core",
        [("size_p50_us", "round trip, p50 (µs)", 1, True),
         ("size_gbps", "goodput, each direction (Gb/s)", 1, False)],
        "message size (bytes)", 2),
    "fig3b-round-trips": (
        "64-byte messages by messages per connection, 64 connections at a time",
        [("trips_msgs", "messages/s (thousands)", 1e-3, False)], "messages per connection", 2),
    "fig3c-message-sizes": (
        "Messages by size, 64 connections",
        [("msgs_by_size", "messages/s (thousands)", 1e-3, False)], "message size (bytes)", 2),
    "fig4-connections": (
        "64-byte messages by open connections, 64 with a message under way",
        [("many_msgs", "messages/s (thousands)", 1e-3, False), ("many_p99_us", "latency, p99 (µs)", 1, True)],
        "open connections", 10),
    "fig6-batch-bound": (
        "Batch bound of ixd, 64 connections",
        [("batch_msgs", "messages/s (thousands)", 1e-3, False),
         ("batch_low_p99_us", "latency at 20,000 messages/s, p99 of the median slice (µs)", 1, False)],
        "batch bound (packets)", 2),
}  # fmt: skip

# file: (title, [(figure, words of y, factor)])
BARS = {
    "fig3a-connections": (
        "Connections with one 64-byte message",
        [("conn_rate", "connections/s (thousands)", 1e-3)]),
    "round-trip": (
        "64-byte round trip, one connection",
        [("rtt_shared_p50_us", "shared core, p50 (µs)", 1), ("rtt_shared_p99_us", "shared core, p99 (µs)", 1),
         ("rtt_dedicated_p50_us", "dedicated core, p50 (µs)", 1),
         ("rtt_dedicated_p99_us", "dedicated core, p99 (µs)", 1)]),
    "messages": (
        "64-byte messages, shared core",
        [("msgs_64", "64 connections, thousands/s", 1e-3), ("msgs_1024", "1024 connections, thousands/s", 1e-3),
         ("p999_1024_us", "1024 connections, p99.9 (ms)", 1e-3)]),
    "two-cores": (
        "64-byte messages to a peer that needs no CPU, 64 connections",
        [("msgs_1_cores", "one core, thousands/s", 1e-3), ("msgs_2_cores", "two cores, thousands/s", 1e-3)]),
    "goodput": (
        "Goodput of one connection, MTU 1500",
        [("goodput_from_gbps", "from the server (Gb/s)", 1), ("goodput_to_gbps", "to the server (Gb/s)", 1)]),
}  # fmt: skip

WORKLOADS = {"kv_usr": "USR", "kv_etc": "ETC"}


def style(name):
    return {"color": COLOURS.get(name), "label": NAMES.get(name, name), "marker": MARKERS[name.split("_")[0]]}


def spread(rows, factor):
    middle = [row["median"] * factor for row in rows]
    low = [(row["median"] - row["min"]) * factor for row in rows]
    high = [(row["max"] - row["median"]) * factor for row in rows]
    return middle, [low, high]


def plain(value, _position):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def curve(axis, by_contender, words, factor, is_log, words_x, base):
    for name in (each for each in NAMES if each in by_contender):
        rows = [row for row in by_contender[name] if row["x"] is not None]
        middle, bars = spread(rows, factor)
        axis.errorbar([row["x"] for row in rows], middle, yerr=bars, capsize=3, markersize=5, **style(name))
    axis.set_xscale("log", base=base)
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(plain))
    if is_log:
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(ticker.FuncFormatter(plain))
    else:
        axis.set_ylim(bottom=0)
    finish(axis, words_x, words)


def finish(axis, words_x, words_y):
    axis.set_xlabel(words_x)
    axis.set_ylabel(words_y)
    axis.grid(True, which="major", alpha=0.3)
    axis.legend(fontsize=8)


def bars(axis, by_contender, words, factor):
    names = [name for name in NAMES if name in by_contender]
    rows = [by_contender[name][0] for name in names]
    middle, errors = spread(rows, factor)
    axis.barh(range(len(names)), middle, xerr=errors, capsize=3, color=[COLOURS.get(name) for name in names])
    axis.set_yticks(range(len(names)), [NAMES.get(name, name) for name in names], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel(words)
    axis.grid(True, axis="x", alpha=0.3)


def save(figure, title, folder, name, footer):
    figure.suptitle(title)
    figure.text(0.5, 0.005, footer, ha="center", fontsize=7, color="#555555")
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(os.path.join(folder, name + ".png"), dpi=110)
    pyplot.close(figure)


def draw_curves(figures, folder, footer):
    for name, (title, panels, words_x, base) in CURVES.items():
        panels = [panel for panel in panels if panel[0] in figures]
        if not panels:
            continue
        drawing, axes = pyplot.subplots(1, len(panels), figsize=(7 * len(panels), 4.8), squeeze=False)
        for axis, (figure, words, factor, is_log) in zip(axes[0], panels):
            curve(axis, figures[figure], words, factor, is_log, words_x, base)
        save(drawing, title, folder, name, footer)


def draw_bars(figures, folder, footer):
    for name, (title, panels) in BARS.items():
        panels = [panel for panel in panels if panel[0] in figures]
        if not panels:
            continue
        height = 1.2 + 0.4 * max(len(figures[panel[0]]) for panel in panels)
        rows = (len(panels) + 1) // 2
        columns = min(2, len(panels))
        drawing, axes = pyplot.subplots(rows, columns, figsize=(7 * columns, height * rows), squeeze=False)
        for axis in axes.flat[len(panels):]:
            axis.set_visible(False)
        for axis, (figure, words, factor) in zip(axes.flat, panels):
            bars(axis, figures[figure], words, factor)
        save(drawing, title, folder, name, footer)


def draw_loads(figures, folder, footer):
    """Latency by load: the load is what was achieved, not what was asked for."""
    measured = [name for name in WORKLOADS if name + "_rate" in figures]
    if not measured:
        return
    drawing, axes = pyplot.subplots(1, len(measured), figsize=(7 * len(measured), 4.8), squeeze=False)
    for axis, workload in zip(axes[0], measured):
        loads, tails = figures[workload + "_rate"], figures[workload + "_p99_us"]
        for name in (each for each in NAMES if each in loads):
            middle_x, errors_x = spread(loads[name], 1e-3)
            middle, errors = spread(tails[name], 1)
            axis.errorbar(middle_x, middle, xerr=errors_x, yerr=errors, capsize=3, markersize=5, **style(name))
        axis.axhline(500, color="black", linewidth=1, linestyle="--", label="500 µs")
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(ticker.FuncFormatter(plain))
        axis.set_title(WORKLOADS[workload])
        finish(axis, "requests/s (thousands)", "latency from the intended time,\np99 of the median slice (µs)")
    save(drawing, "Key-value store by load", folder, "fig5-key-value", footer)


def draw(results, folder):
    machine = results["machine"]
    footer = (
        f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, ixd {machine['versions']['ixd']}; "
        "medians, bars from least to largest"
    )
    if results["run"]["is_quick"]:
        footer += "; quick run, no claim"
    draw_curves(results["figures"], folder, footer)
    draw_bars(results["figures"], folder, footer)
    draw_loads(results["figures"], folder, footer)
