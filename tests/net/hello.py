#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""hello.py SOCKET CASE: a client that is wrong from its first byte. Prints what ixd answered: the status and
the reason of the welcome, or how the connection ended."""

import socket
import struct
import sys

MAGIC, VERSION = 0x69786431, 1
HELLO = struct.Struct("=IIQQII32s")
WELCOME_STATUS = struct.Struct("=IIi")


def hello(magic=MAGIC, version=VERSION, rx=0, tx=0, commands=0, events=0, reserved=bytes(32)):
    return HELLO.pack(magic, version, rx, tx, commands, events, reserved)


CASES = {
    "good": hello(),
    "version": hello(version=VERSION + 1),
    "version-0": hello(version=0),
    "magic": hello(magic=0x12345678),
    "short": hello()[:-1],
    "one-byte": b"x",
    "long": hello() + b"x",
    "huge": bytes(60000),
    "reserved": hello(reserved=b"\1" * 32),
    "rx-too-much": hello(rx=1 << 60),
    "tx-too-much": hello(tx=1 << 60),
    "rx-overflow": hello(rx=(1 << 64) - 1),
    "slots-odd": hello(commands=1000),
    "slots-huge": hello(events=1 << 31),
    "silent": None,
}


def main():
    path, case = sys.argv[1:]
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(20)
    client.connect(path)
    if CASES[case] is not None:
        client.send(CASES[case])
    answer, descriptors, _, _ = socket.recv_fds(client, 4096, 64)
    if len(answer) < WELCOME_STATUS.size:
        print("closed")
        return
    status = WELCOME_STATUS.unpack_from(answer)[2]
    reason = answer[-160:].split(b"\0")[0].decode()
    print("status %d descriptors %d reason %s" % (status, len(descriptors), reason))


main()
