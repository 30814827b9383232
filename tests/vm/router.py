#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A router with a small MTU, played on the peer's side: router.py INTERFACE ADDRESS PORT CONNECTIONS MTU

Quotes one packet with data of each TCP connection from ADDRESS:PORT that it sees on INTERFACE, by an ICMP error
"fragmentation needed", and ends when so many connections have had one.
"""

import select
import socket
import struct
import sys
import time

ETH_P_IP = 0x0800
LIMIT_S = 60


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def main(interface, address, port, connections, mtu):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    packets.bind((interface, ETH_P_IP))
    errors = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    done = set()
    end = time.monotonic() + LIMIT_S
    print("router sees", interface, flush=True)
    while len(done) < connections:
        if not select.select([packets], [], [], max(0, end - time.monotonic()))[0]:
            print(f"saw data of {len(done)} connections only", flush=True)
            return 1
        packet = packets.recv(65536)
        header = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_TCP or packet[12:16] != socket.inet_aton(address):
            continue
        source, target = struct.unpack_from("!HH", packet, header)
        data = struct.unpack_from("!H", packet, 2)[0] - header - (packet[header + 12] >> 4) * 4
        if source != port or data == 0 or target in done:
            continue
        done.add(target)
        quote = packet[: header + 8]
        error = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quote
        errors.sendto(error[:2] + struct.pack("!H", checksum(error)) + error[4:], (address, 0))
    print(f"quoted {len(done)} connections", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])))
