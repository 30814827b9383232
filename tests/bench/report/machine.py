#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The machine that is measured on: machine.py TREE prints JSON, machine.py --after FILE completes it."""
import json
import os
import resource
import subprocess
import sys
import time

BUSY_SHARE = 0.05  # of a CPU; what another process may use
WATCH_S = 1.0
STEAL_SHARE = 0.02
TICKS = os.sysconf("SC_CLK_TCK")


def read(path, default=None):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return default


def command(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def cpu_model():
    for line in read("/proc/cpuinfo", "").splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return None


def cpu_ticks():
    """Ticks of all CPUs so far: stolen by the hypervisor, and all."""
    values = [int(value) for value in read("/proc/stat").splitlines()[0].split()[1:9]]
    return {"steal": values[7], "all": sum(values)}


def process_ticks():
    ticks = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        stat = read(f"/proc/{pid}/stat")
        if stat:
            name, rest = stat.split("(", 1)[1].rsplit(")", 1)
            fields = rest.split()
            ticks[pid] = (name, int(fields[11]) + int(fields[12]))
    return ticks


def busy_processes():
    """Other processes that use more than BUSY_SHARE of a CPU."""
    before = process_ticks()
    time.sleep(WATCH_S)  # the observed interval
    found = []
    for pid, (name, ticks) in process_ticks().items():
        share = (ticks - before.get(pid, (name, ticks))[1]) / TICKS / WATCH_S
        if share > BUSY_SHARE and int(pid) != os.getpid():
            found.append({"pid": int(pid), "name": name, "share": round(share, 2)})
    return sorted(found, key=lambda process: -process["share"])


def describe(tree):
    busy = busy_processes()
    governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    warnings = [
        f"process {process['pid']} ({process['name']}) uses {process['share']:.0%} of a CPU: "
        "the figures will be worse and noisier than they are"
        for process in busy
    ]
    if os.cpu_count() < 2:
        warnings.append("there is one CPU; server and generator share it")
    return {
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "kernel": os.uname().release,
        "distribution": dict(
            line.split("=", 1) for line in read("/etc/os-release", "").splitlines() if "=" in line
        )
        .get("PRETTY_NAME", "")
        .strip('"'),
        "hypervisor": command("systemd-detect-virt"),
        "governor": governor or "not known",
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "default_congestion_control": read("/proc/sys/net/ipv4/tcp_congestion_control"),
        "descriptors_max": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "versions": {
            "ixd": command("git", "-C", tree, "describe", "--always", "--dirty", "--abbrev=12"),
            "compiler": (command("cc", "--version") or "").split("\n")[0],
            "libxdp": command("pkg-config", "--modversion", "libxdp"),
            "liburing": command("pkg-config", "--modversion", "liburing"),
        },
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load_at_start": os.getloadavg(),
        "busy_at_start": busy,
        "ticks": cpu_ticks(),
        "warnings": warnings,
    }


def complete(path):
    with open(path, encoding="utf-8") as file:
        machine = json.load(file)
    before, after = machine.pop("ticks"), cpu_ticks()
    machine["steal_share"] = (after["steal"] - before["steal"]) / max(1, after["all"] - before["all"])
    machine["ended"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    machine["load_at_end"] = os.getloadavg()
    if machine["steal_share"] > STEAL_SHARE:
        machine["warnings"].append(f"the hypervisor took {machine['steal_share']:.1%} of the CPUs away")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(machine, file, indent=1)


def main():
    if sys.argv[1] == "--after":
        complete(sys.argv[2])
    else:
        json.dump(describe(sys.argv[1]), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
