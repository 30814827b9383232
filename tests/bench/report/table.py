# SPDX-License-Identifier: BSD-2-Clause
"""results.json as Markdown."""

NAMES = {
    "kernel_block": "kernel, epoll, sleeping",
    "kernel_spin": "kernel, epoll, spinning",
    "uring_block": "kernel, io_uring, sleeping",
    "uring_spin": "kernel, io_uring, spinning",
    "kernel_many": "kernel, epoll, sleeping, several processes",
    "kernel_tso": "kernel, epoll, with TSO",
    "kernel_client": "kernel, spinning client",
    "uring_client": "kernel, io_uring, spinning client",
    "ixd_spin": "ixd, shared core, spinning",
    "ixd_sleep": "ixd, shared core, sleeping",
    "ixd_dedicated": "ixd, dedicated core",
    "ixd_both": "ixd at both ends",
    "ixd_client": "ixd, its application asks",
    "raw": "raw AF_XDP",
    "raw_live": "raw AF_XDP, live frames out",
}

# figure: (words, unit, factor)
FIGURES = {
    "rtt_dedicated_p50_us": ("64 B round trip, dedicated core, p50", "µs", 1),
    "rtt_dedicated_p99_us": ("the same, p99", "µs", 1),
    "rtt_shared_p50_us": ("64 B round trip, shared core, p50", "µs", 1),
    "rtt_shared_p99_us": ("the same, p99", "µs", 1),
    "msgs_64": ("64 B messages, 64 connections", "k/s", 1e-3),
    "p999_64_us": ("p99.9 of these", "µs", 1),
    "cross_check_msgs_64": ("64 B messages, 64 connections, generator on the kernel's TCP", "k/s", 1e-3),
    "msgs_1024": ("64 B messages, 1024 connections", "k/s", 1e-3),
    "p999_1024_us": ("p99.9 of these", "µs", 1),
    "msgs_64_both_ends": ("64 B messages, 64 connections, both ends", "k/s", 1e-3),
    "conn_rate": ("connections with one message", "k/s", 1e-3),
    "drops_1024": ("packets dropped in rings and queues of ixd or before them", "", 1),
    "goodput_from_gbps": ("goodput of one connection, from the server", "Gb/s", 1),
    "goodput_to_gbps": ("goodput of one connection, to the server", "Gb/s", 1),
    "msgs_1_cores": ("64 B messages, 64 connections, to a peer without a CPU, one core", "k/s", 1e-3),
    "msgs_2_cores": ("the same, two cores", "k/s", 1e-3),
    "kv_usr_sla": ("key-value store, USR, p99 < 500 µs", "k/s", 1e-3),
    "kv_etc_sla": ("key-value store, ETC, p99 < 500 µs", "k/s", 1e-3),
}


def number(value):
    """Three digits that mean something."""
    if value is None:
        return "∞"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def value_of(row):
    if row["value"] is None:
        return "∞"
    if row["unit"] == "/s":
        return f"{row['value'] / 1e3:.0f} k/s"
    if row["unit"] == "":
        return f"{row['value']:.2%}"
    space = "" if row["unit"] == "×" else " "
    return f"{number(row['value'])}{space}{row['unit']}"


def bound_of(row, bound):
    return value_of({**row, "value": bound})


def spread_of(row):
    low, high = row["interval"]
    return f"{bound_of(row, low)} – {bound_of(row, high)}"


def target_of(row):
    sign = "≥" if row["is_more_better"] else "≤"
    return f"{sign} {bound_of(row, row['target'])}"


def met_of(row):
    if row["is_met"] is None:
        return "no verdict"
    words = "yes" if row["is_met"] else "no"
    if row["is_beyond"]:
        words = "yes, and beyond"
    return words if row["is_sure"] else f"{words} (within the noise)"


def verdict_of(row):
    if row.get("verdict") == "no verdict":
        return "no verdict: the noise is larger than the difference"
    return NAMES.get(row.get("against"), row.get("against") or "")


def targets(results):
    lines = ["| | value | 95 % of resampled medians | target | met | against |", "|---|---|---|---|---|---|"]
    for row in results["evidence"].values():
        if "was not asked for" in row.get("missing", ""):
            continue
        if "missing" in row:
            lines.append(f"| {row['words']} | – | | {target_of(row)} | not measured: {row['missing']} | |")
        else:
            lines.append(
                f"| {row['words']} | **{value_of(row)}** | {spread_of(row)} | {target_of(row)} "
                f"| {met_of(row)} | {verdict_of(row)} |"
            )
    return lines


def cell(rows, factor):
    if not rows:
        return "–"
    row = rows[0]
    return f"{number(row['median'] * factor)} ({number(row['min'] * factor)}–{number(row['max'] * factor)})"


def contenders(results):
    measured = {figure: rows for figure, rows in results["figures"].items() if figure in FIGURES}
    names = [name for name in NAMES if any(name in rows for rows in measured.values())]
    if not names:
        return []
    lines = ["| | " + " | ".join(NAMES[name] for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for figure, (words, unit, factor) in FIGURES.items():
        if figure in measured:
            cells = [cell(measured[figure].get(name), factor) for name in names]
            lines.append(f"| {words}{', ' if unit else ''}{unit} | " + " | ".join(cells) + " |")
    return lines


def connections(results):
    """Messages/s by open connections: a row for each number of them."""
    figures = results["figures"].get("many_msgs", {})
    names = [name for name in NAMES if name in figures]
    if not names:
        return []
    lines = [
        "| 64 B messages, 64 connections at a time of so many open, k/s | "
        + " | ".join(NAMES[name] for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]  # fmt: skip
    for x in sorted({row["x"] for name in names for row in figures[name]}):
        cells = [cell([row for row in figures[name] if row["x"] == x], 1e-3) for name in names]
        lines.append(f"| {x:,} | " + " | ".join(cells) + " |")
    return lines


def machine(results):
    about = results["machine"]
    virtual = "" if about["hypervisor"] in (None, "none") else f", virtual ({about['hypervisor']})"
    lines = [
        f"- Machine: {about['cpu']}, {about['cpus']} CPUs{virtual}, {about['memory_mb']} MB, governor "
        f"{about['governor']}; Linux {about['kernel']}, {about['distribution']}; {about['versions']['compiler']}.",
        f"- ixd {about['versions']['ixd']}, {about['started']}; load at start {about['load_at_start'][0]:.2f}, "
        f"stolen by the hypervisor {about.get('steal_share', 0):.2%}.",
        "- One machine, two namespaces and a veth between them, AF_XDP in copy mode: the wire and the generator "
        "use the same CPUs and caches as what is measured.",
    ]
    for name, row in results.get("two_cores_against_one", {}).items():
        lines.append(
            f"- Two cores against one, {NAMES.get(name, name)}: {number(row['ratio'])}× "
            f"({number(row['interval'][0])}–{number(row['interval'][1])})."
        )
    tail = results["evidence"].get("batch_64_vs_1", {}).get("p99_at_low_load")
    if tail:
        lines.append(
            f"- Batch bound 64 against 1, p99 of the median slice at a low load: {number(tail['ratio'])}× ({number(tail['interval'][0])}–"
            f"{number(tail['interval'][1])}, {tail['verdict']}); it should be equal."
        )
    lines += [f"- Warning: {text}." for text in about["warnings"]]
    lines += [f"- Limit: {text}." for text in results["limits"]]
    for key, text in results["settings"].items():
        name, comma, part = key.partition(", ")
        lines.append(f"- {NAMES.get(name, name)}{comma}{part}: {text}.")
    lines += [f"- Fault: {text}." for text in results["faults"]]
    for name, parts in results["losses"].items():
        words = "; ".join(
            f"{part}: " + ", ".join(f"{field} {count}" for field, count in found.items())
            for part, found in parts.items()
        )
        lines.append(f"- Not clean, at most in one turn, {NAMES.get(name, name)}: {words}.")
    return lines


def document(results):
    run = results["run"]
    lines = [
        f"Medians of {run['rounds']} rounds in which the contenders took turns; in parentheses the least and the "
        "largest. Server side on one CPU, generator on another.",
        "",
    ]
    if run["is_quick"]:
        lines += ["**A quick run: short turns, few rounds of the curves. Nothing here is a claim.**", ""]
    lines += targets(results) + [""] + contenders(results) + [""] + connections(results) + [""] + machine(results)
    return "\n".join(lines) + "\n"
