# SPDX-License-Identifier: BSD-2-Clause
"""Hand-made Ethernet, IPv4 and TCP, and a socket to send and receive them: what packets.py, limits.py and
forgeries.py build on.

A Peer is a host that exists only here (tests/lib/ghost.sh): it has an address of its own, so the kernel of the
namespace does not answer for it, and speaks just enough TCP to hold a connection while a test sends nonsense beside it.
"""

import select
import socket
import struct
import time

ETH_IP = 0x0800
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
MSS = b"\x02\x04\x05\xb4"  # 1460
SO_RCVBUFFORCE = 33


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp_segment(src, dst, sport, dport, seq, ack, flags, data=b"", window=65535, options=b"", offset=None,
                bad_sum=False, urgent=0, ae=False):
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4 if offset is None else offset
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4 | ae, flags,
                       window, 0, urgent) + options + data
    pseudo = src + dst + struct.pack("!BBH", 0, 6, len(head))
    total = checksum(pseudo + head)
    if bad_sum:
        total ^= 0x1234
    return head[:16] + struct.pack("!H", total) + head[18:]


def ip_packet(src, dst, payload, proto=6, options=b"", ident=1, fragment=0, ttl=64, bad_sum=False, length=None,
              version=4, words=None):
    options += b"\x01" * (-len(options) % 4)
    ihl = 5 + len(options) // 4 if words is None else words
    total = 20 + len(options) + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, total, ident, fragment, ttl, proto, 0, src,
                       dst) + options
    total = checksum(head)
    if bad_sum:
        total ^= 0x4321
    return head[:10] + struct.pack("!H", total) + head[12:] + payload


class Segment:
    """A received TCP segment."""

    def __init__(self, packet):
        ihl = (packet[0] & 15) * 4
        total = struct.unpack("!H", packet[2:4])[0]
        tcp = packet[ihl:total]
        self.sport, self.dport, self.seq, self.ack, words, self.flags, self.window = struct.unpack(
            "!HHIIBBH", tcp[:16])
        self.options = tcp[20:(words >> 4) * 4]
        self.data = tcp[(words >> 4) * 4:]


class Peer:
    """Addresses as people write them."""

    def __init__(self, device, mac, ip, remote_mac, remote_ip):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((device, 0))
        # What comes while we send hundreds waits for us.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.eth = b"".join(bytes.fromhex(each.replace(":", "")) for each in (remote_mac, mac))
        self.eth += struct.pack("!H", ETH_IP)
        self.ip, self.remote_ip = socket.inet_aton(ip), socket.inet_aton(remote_ip)

    def send_frame(self, frame):
        self.socket.send(frame)

    def send_ip(self, payload, **how):
        self.send_frame(self.eth + ip_packet(self.ip, self.remote_ip, payload, **how))

    def receive(self, port, seconds):
        """The next segment to our address and port, or None."""
        return self.receive_any(seconds, [port])

    def receive_any(self, seconds, ports=range(65536)):
        """The next segment to our address and one of the ports, or None."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            frame, origin = self.socket.recvfrom(65535)
            if origin[2] == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00":
                continue
            packet = frame[14:]
            if packet[16:20] != self.ip or packet[9] != 6:
                continue
            segment = Segment(packet)
            if segment.dport in ports:
                return segment

    def drain(self):
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(65535)


class Connection:
    """A TCP connection by hand. Only its SYN is sent again: behind a flood it may find a ring full; after that the
    network between is lossless."""

    next_port = 30000

    def __init__(self, peer, dport, patience):
        Connection.next_port += 1
        self.peer, self.dport, self.patience = peer, dport, patience
        self.sport = Connection.next_port
        self.seq, self.ack = 0xFFFFFF00 + self.sport, 0

    def segment(self, flags, data=b"", seq=None, ack=None, **how):
        return tcp_segment(self.peer.ip, self.peer.remote_ip, self.sport, self.dport,
                           self.seq if seq is None else seq, self.ack if ack is None else ack, flags, data, **how)

    def send(self, flags, data=b"", **how):
        self.peer.send_ip(self.segment(flags, data, **how))

    def receive(self, seconds=None):
        return self.peer.receive(self.sport, self.patience if seconds is None else seconds)

    def syn(self):
        """Sends SYN, returns the answer."""
        answer, tries = None, 0
        while answer is None and tries < 3:
            self.send(SYN, ack=0, options=MSS)
            answer = self.receive()
            tries += 1
        self.seq += 1
        return answer

    def open(self):
        answer = self.syn()
        if answer is None or answer.flags & (SYN | ACK) != SYN | ACK:
            raise AssertionError("no SYN-ACK but %s" % (answer and hex(answer.flags)))
        self.ack = answer.seq + 1
        self.send(ACK)
        return self

    def echo(self, data):
        """Sends data as one segment and reads it back; the connection works if this does."""
        self.send(ACK | PSH, data)
        self.seq += len(data)
        self.expect(data)

    def expect(self, data):
        """Reads data, which may come in pieces and after an ACK of its own."""
        got = b""
        while len(got) < len(data):
            segment = self.receive()
            if segment is None:
                raise AssertionError("no echo: %d of %d bytes" % (len(got), len(data)))
            if segment.flags & RST:
                raise AssertionError("reset instead of an echo")
            if segment.data and segment.seq == self.ack & 0xFFFFFFFF:
                got += segment.data
                self.ack += len(segment.data)
                self.send(ACK)
        if got != data:
            raise AssertionError("the echo differs")

    def close(self):
        self.send(RST | ACK)


def beside_a_bystander(peer, port, patience, attack):
    """attack() may harm neither a connection to the echo server at `port` that was there before, nor the next one."""
    bystander = Connection(peer, port, patience).open()
    bystander.echo(b"before")
    attack()
    peer.drain()
    bystander.echo(b"after")
    bystander.close()
    peer.drain()
    another = Connection(peer, port, patience).open()
    another.echo(b"another")
    another.close()
    print("bystander served, another served")
