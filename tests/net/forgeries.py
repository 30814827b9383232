# SPDX-License-Identifier: BSD-2-Clause
"""forgeries.py WHAT DEVICE OWN_MAC OWN_IP REMOTE_MAC REMOTE_IP PORT PATIENCE: what somebody makes up, or has seen once
and repeats, beside a connection that must go on working; then another is opened. PORT is served by ix-echo with Fast
Open, PORT + 1 by ix-echo without. Prints what came back, for the script to judge."""

import random
import socket
import struct
import sys

from wire import ACK, MSS, PSH, SYN, Connection, Peer, beside_a_bystander, checksum, ip_packet, tcp_segment

FAST_OPEN, ACCECN0, ACCECN1 = 34, 172, 174
ECE, CWR = 0x40, 0x80
UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4


def fast_open(cookie):
    return bytes([FAST_OPEN, 2 + len(cookie)]) + cookie


def ask_for_cookie(peer, port, patience, sport):
    """The cookie in the SYN-ACK to a SYN that asks for one."""
    peer.send_ip(tcp_segment(peer.ip, peer.remote_ip, sport, port, 1000, 0, SYN, options=MSS + fast_open(b"")))
    answer = peer.receive(sport, 5 * patience)
    at = 0
    while answer is not None and at + 1 < len(answer.options) and answer.options[at] != 0:
        kind, length = answer.options[at], answer.options[at + 1]
        if kind == FAST_OPEN:
            return answer.options[at + 2:at + length]
        at += 1 if kind == 1 else length
    raise AssertionError("no cookie in %s" % (answer and answer.options.hex()))


def answers(peer, ports, data, quiet):
    """How many SYN-ACKs acknowledge the SYN's data, and how many the SYN alone, until nothing comes any more."""
    taken, left = set(), set()
    while True:
        segment = peer.receive_any(quiet, ports)
        if segment is None:
            return len(taken), len(left)
        if segment.flags & (SYN | ACK) == SYN | ACK:
            (taken if segment.ack == 1001 + len(data) else left).add(segment.dport)


def send_early(peer, port, ports, cookie, data, sender=None):
    """SYNs with data; cookie() makes each one's."""
    for sport in ports:
        segment = tcp_segment(sender or peer.ip, peer.remote_ip, sport, port, 1000, 0, SYN, data,
                              options=MSS + fast_open(cookie()))
        if sender is None:
            peer.send_ip(segment)
        else:
            peer.send_frame(peer.eth + ip_packet(sender, peer.remote_ip, segment))


def forged_cookies(peer, port, patience, dice):
    """Cookies that nobody gave, of every length that the RFC allows and some that it does not"""
    ports = range(40000, 40040)
    send_early(peer, port, ports, lambda: dice.randbytes(dice.choice([4, 6, 8, 8, 8, 8, 16, 18, 3, 1])), b"forged")
    print("taken=%d left=%d" % answers(peer, ports, b"forged", patience))


def replayed_cookies(peer, port, patience, dice):
    """One good cookie, with more SYNs than may be unconfirmed; under another sender's address; and when the backlog is
    full, so that it has no place any more"""
    cookie = ask_for_cookie(peer, port, patience, 40999)
    send_early(peer, port, range(40900, 40910), lambda: cookie, b"stolen", sender=socket.inet_aton("10.77.0.51"))
    ports = range(41000, 41400)
    send_early(peer, port, ports, lambda: cookie, b"replayed")
    print("taken=%d left=%d" % answers(peer, ports, b"replayed", patience))
    ports = range(42000, 42300)
    send_early(peer, port, ports, lambda: cookie, b"flood")
    print("flood_taken=%d flood_left=%d" % answers(peer, ports, b"flood", patience))


def accecn_options(peer, port, patience, dice):
    """Counters of every length, lies in them, both kinds at once, and lengths that cannot be"""
    connection = Connection(peer, port + 1, 5 * patience)
    connection.send(SYN | ECE | CWR, ack=0, options=MSS, ae=True)
    connection.seq += 1
    answer = connection.receive()
    if answer is None or answer.flags & (SYN | ACK) != SYN | ACK:
        raise AssertionError("no SYN-ACK")
    connection.ack = answer.seq + 1
    connection.send(ACK)
    connection.echo(b"first")
    for number in range(600):
        kind = dice.choice([ACCECN0, ACCECN1])
        body = dice.randbytes(dice.choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 38]))
        options = bytes([kind, 2 + len(body)]) + body
        if number % 5 == 1 and len(options) <= 20:
            options += bytes([ACCECN0 + ACCECN1 - kind, len(options)]) + body
        elif number % 5 == 2:
            options = bytes([kind, dice.choice([0, 1, 41, 255])]) + dice.randbytes(6)
        connection.send(ACK | dice.choice([0, ECE, CWR, ECE | CWR]), options=options, ae=dice.random() < 0.5)
    peer.drain()
    connection.echo(b"last")
    connection.close()


def icmp(peer, connection, kind, code, mtu, seq):
    """An error that quotes the first 8 bytes of a segment of ixd's."""
    quoted = struct.pack("!HHI", connection.dport, connection.sport, seq & 0xFFFFFFFF)
    quote = ip_packet(peer.remote_ip, peer.ip, quoted + bytes(12), length=1500)[:28]
    body = struct.pack("!BBHHH", kind, code, 0, 0, mtu) + quote
    peer.send_ip(body[:2] + struct.pack("!H", checksum(body)) + body[4:], proto=1)


def icmp_storm(peer, port, patience, dice):
    """Errors about what is in flight, with MTUs that cannot be; and about what is not"""
    connection = Connection(peer, port + 1, 5 * patience).open()
    for _ in range(3):
        connection.send(ACK | PSH, b"x" * 1400)
        connection.seq += 1400
    first = connection.receive()  # from here on it is in flight: we acknowledge nothing
    if first is None:
        raise AssertionError("no echo")
    begin = first.seq
    for number in range(2000):
        seq = begin if number % 2 else begin + dice.choice([-1, 1 << 20, 1 << 31, -(1 << 24)])
        icmp(peer, connection, UNREACHABLE, FRAGMENTATION_NEEDED, dice.choice([0, 1, 68, 295, 575, 576, 1499, 65535]), seq)
        icmp(peer, connection, dice.choice([UNREACHABLE, 11, 12]), dice.choice([0, 1, 2, 3, 5, 9, 10, 13]), 0, seq)
    peer.drain()
    # All of it comes again, in pieces that fit into 576 bytes.
    got, longest = set(), 0
    while len(got) < 4200:
        segment = connection.receive()
        if segment is None:
            raise AssertionError("only %d bytes came" % len(got))
        if segment.data:
            offset = segment.seq - begin & 0xFFFFFFFF
            got.update(range(offset, offset + len(segment.data)))
            longest = max(longest, len(segment.data))
            while connection.ack - begin in got:
                connection.ack += 1
            connection.send(ACK)
    print("longest=%d" % longest)
    connection.echo(b"after the storm")
    connection.close()


def main():
    what, port, patience = sys.argv[1], int(sys.argv[7]), float(sys.argv[8])
    peer = Peer(*sys.argv[2:7])
    # Runs of this program in one test must not use the same ports.
    Connection.next_port = {"forged_cookies": 30000, "replayed_cookies": 31000, "accecn_options": 32000,
                            "icmp_storm": 33000}[what]
    beside_a_bystander(peer, port + 1, 5 * patience,
                       lambda: globals()[what](peer, port, patience, random.Random(1)))


main()
