#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Memory of processes: memory.py PID... prints JSON.

tables: what exists in full from the start, by its size, whether or not it has been touched: shared memories
(each once, however many map it), and as "engine" the private tables, which the kernel is told not to copy to
children (MADV_DONTFORK). table_bytes is their sum.
growing_bytes: everything else that is in memory, shared pages divided among those that map them.
client_bytes: memories of clients, in neither.
"""
import json
import re
import sys

MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)$")
TABLES = ("ixd-state", "ixd-mirror")
CLIENTS = ("ixd-client", "ixd-daemon")


def mappings(pid):
    """(name, flags, fields in bytes) of each mapping."""
    name, flags, fields = None, (), {}
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as lines:
        for line in lines:
            found = MAPPING.match(line)
            if found:
                if name is not None:
                    yield name, flags, fields
                name, flags, fields = found.group(1), (), {}
            elif line.startswith("VmFlags:"):
                flags = line.split()[1:]
            elif line.rstrip().endswith(" kB"):
                key, value = line.split(":")
                fields[key] = int(value.split()[0]) * 1024
    if name is not None:
        yield name, flags, fields


def memory(pids):
    tables, growing, clients = {}, 0, 0
    for pid in pids:
        for name, flags, fields in mappings(pid):
            resident = fields.get("Pss", 0) + fields.get("Private_Hugetlb", 0)
            table = next((table for table in TABLES if table in name), None)
            if table is not None:
                tables[table] = max(tables.get(table, 0), fields["Size"])
            elif name == "" and "dc" in flags:
                tables["engine"] = tables.get("engine", 0) + fields["Size"]
            elif any(client in name for client in CLIENTS):
                clients += resident
            else:
                growing += resident
    return {
        "table_bytes": sum(tables.values()), "tables": tables, "growing_bytes": growing, "client_bytes": clients,
    }


if __name__ == "__main__":
    print(json.dumps(memory(sys.argv[1:])))
