# SPDX-License-Identifier: BSD-2-Clause
"""limits.py WHAT DEVICE OWN_MAC OWN_IP REMOTE_MAC REMOTE_IP PORT PATIENCE: fills one of ixd's tables from outside,
beside a connection that must go on working, and then opens another. PORT is served by ix-orders, PORT + 1 by
ix-echo. Prints what came back, for the script to judge."""

import sys

from wire import ACK, FIN, MSS, PSH, RST, SYN, Connection, Peer, beside_a_bystander, tcp_segment


def count(peer, is_wanted, patience):
    """Segments to any of our ports until nothing comes any more."""
    number = 0
    while True:
        segment = peer.receive_any(patience)
        if segment is None:
            return number
        number += is_wanted(segment)


def syns(peer, port, patience):
    """SYNs whose senders never answer: more than the backlog takes"""
    for sport in range(20000, 20400):
        peer.send_ip(tcp_segment(peer.ip, peer.remote_ip, sport, port, 1000, 0, SYN, options=MSS))
    print("syn_acks=%d" % count(peer, lambda s: s.flags == SYN | ACK, 0.5 * patience))


def challenges(peer, port, patience):
    """RSTs in the window, but not exact"""
    connection = Connection(peer, port, 5 * patience).open()
    peer.drain()
    for number in range(500):
        connection.send(RST, seq=connection.seq + 1 + number)
    print("challenges=%d" % count(peer, lambda s: s.flags == ACK, 0.3 * patience))
    connection.close()


def ranges(peer, port, patience):
    """Every second byte of the window, on several connections: each byte is a range"""
    for _ in range(4):
        connection = Connection(peer, port, 5 * patience).open()
        for number in range(300):
            connection.send(ACK, b"x", seq=connection.seq + 1 + 2 * number)
        print("acks=%d" % count(peer, lambda s: s.flags == ACK, 0.2 * patience))


def time_waits(peer, port, patience):
    """Connections that the server ends first, and we then"""
    ended = 0
    for _ in range(100):
        connection = Connection(peer, port, 5 * patience).open()
        connection.send(ACK | PSH, b"f")
        connection.seq += 1
        segment = connection.receive()
        while segment is not None and not segment.flags & FIN:
            segment = connection.receive()
        if segment is None:
            raise AssertionError("the server did not end")
        connection.ack += 1
        connection.send(FIN | ACK)
        ended += 1
    print("ended=%d" % ended)


def main():
    what, port, patience = sys.argv[1], int(sys.argv[7]), float(sys.argv[8])
    peer = Peer(*sys.argv[2:7])
    # Runs of this program in one test must not use the same ports.
    Connection.next_port = {"syns": 30000, "challenges": 32000, "ranges": 34000, "time_waits": 36000}[what]
    beside_a_bystander(peer, port + 1, 5 * patience, lambda: globals()[what](peer, port, patience))


main()
