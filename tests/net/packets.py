#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""packets.py DEVICE OWN_MAC OWN_IP IX_MAC IX_IP PORT SEED PATIENCE: malformed, hostile and unusual packets
against an echo service of ixd. Beside each there is a connection that must go on working. Prints TAP lines."""

import random
import struct
import sys

from wire import ACK, FIN, PSH, RST, SYN, URG, Connection, Peer, tcp_segment

# How long nothing must come where nothing may come.
SILENCE_S = 0.3


class Suite:
    def __init__(self, peer, port, seed, patience):
        self.peer, self.port, self.patience = peer, port, patience
        self.random = random.Random(seed)

    def connect(self):
        return Connection(self.peer, self.port, self.patience).open()

    def silence(self, connection, what):
        answer = connection.receive(SILENCE_S)
        if answer is not None:
            raise AssertionError("%s was answered: flags %#x, %d bytes" % (what, answer.flags, len(answer.data)))

    def truncated_at_every_byte(self):
        """A frame cut after each byte, with the IP length as it was"""
        connection = self.connect()
        whole = self.peer.eth + self.ip_of(connection.segment(ACK | PSH, b"x" * 40))
        for length in range(14, len(whole)):
            self.peer.send_frame(whole[:length])
        self.silence(connection, "a truncated frame")
        connection.echo(b"after the truncated ones")
        connection.close()

    def truncated_tcp_at_every_byte(self):
        """An IP packet that honestly ends after each byte of the TCP header"""
        connection = self.connect()
        segment = connection.segment(ACK | PSH, b"", options=b"\x01" * 20)
        for length in range(len(segment)):
            self.peer.send_ip(segment[:length])
        self.peer.drain()
        connection.echo(b"after the short headers")
        connection.close()

    def ip_of(self, payload, **how):
        from wire import ip_packet
        return ip_packet(self.peer.ip, self.peer.remote_ip, payload, **how)

    def wrong_tcp_checksum(self):
        connection = self.connect()
        connection.send(ACK | PSH, b"wrong", bad_sum=True)
        self.silence(connection, "a wrong TCP checksum")
        connection.echo(b"right")
        connection.close()

    def wrong_ip_checksum(self):
        connection = self.connect()
        self.peer.send_ip(connection.segment(ACK | PSH, b"wrong"), bad_sum=True)
        self.silence(connection, "a wrong IP checksum")
        connection.echo(b"right")
        connection.close()

    def ip_options_are_tolerated(self):
        connection = self.connect()
        # Router alert; then a full 40 bytes of NOP.
        for options in (b"\x94\x04\x00\x00", b"\x01" * 40):
            self.peer.send_ip(connection.segment(ACK | PSH, b"with options"), options=options)
            connection.seq += 12
            connection.expect(b"with options")
        connection.close()

    def source_route_is_dropped(self):
        connection = self.connect()
        route = b"\x83\x07\x04" + self.peer.remote_ip + b"\x00"
        self.peer.send_ip(connection.segment(ACK | PSH, b"routed"), options=route)
        self.silence(connection, "a source-routed packet")
        connection.echo(b"direct")
        connection.close()

    def fragments_get_no_answer(self):
        """The kernel would reassemble and answer RST, which would kill the connection"""
        connection = self.connect()
        segment = connection.segment(ACK | PSH, b"f" * 1000)
        self.peer.send_ip(segment[:512], fragment=0x2000, ident=77)
        self.peer.send_ip(segment[512:], fragment=512 // 8, ident=77)
        self.silence(connection, "a fragmented segment")
        connection.echo(b"whole")
        connection.close()

    def tiny_first_fragments(self):
        connection = self.connect()
        segment = connection.segment(ACK | PSH, b"f" * 100)
        for length in (8, 16, 24):
            self.peer.send_ip(segment[:length], fragment=0x2000, ident=78)
        self.silence(connection, "a tiny fragment")
        connection.echo(b"whole")
        connection.close()

    def ack_of_unsent_data(self):
        """RFC 9293, 3.10.7.4: answered by an ACK that tells the truth, and dropped"""
        connection = self.connect()
        connection.send(ACK | PSH, b"lie", ack=connection.ack + 100000)
        answer = connection.receive()
        if answer is not None and (answer.data or answer.flags & RST or answer.ack != connection.seq & 0xFFFFFFFF):
            raise AssertionError("flags %#x, %d bytes" % (answer.flags, len(answer.data)))
        connection.echo(b"truth")
        connection.close()

    def ack_of_unsent_data_in_handshake(self):
        """RFC 9293, 3.10.7.4 SYN-RECEIVED: answered by RST (or ignored), never a connection"""
        connection = Connection(self.peer, self.port, self.patience)
        answer = connection.syn()
        if answer is None:
            raise AssertionError("no SYN-ACK")
        connection.send(ACK, ack=answer.seq + 12345)
        connection.send(ACK | PSH, b"early", ack=answer.seq + 12345)
        for _ in range(3):
            reply = connection.receive(SILENCE_S)
            if reply is not None and reply.data:
                raise AssertionError("a connection was made by a wrong ACK")
        connection.close()

    def data_outside_the_window(self):
        connection = self.connect()
        for shift in (1 << 30, -(1 << 20)):
            connection.send(ACK | PSH, b"far away", seq=connection.seq + shift)
            answer = connection.receive()
            if answer is None or answer.flags & RST or answer.ack != connection.seq & 0xFFFFFFFF or answer.data:
                raise AssertionError("segment outside the window: an ACK is due (RFC 9293, 3.10.7.4)")
        connection.echo(b"here")
        connection.close()

    def reset_off_by_some_is_challenged(self):
        """RFC 5961, 3.2: only the exact sequence number resets"""
        connection = self.connect()
        connection.send(RST, seq=connection.seq + 10, ack=0)
        answer = connection.receive()
        if answer is None or answer.flags & RST:
            raise AssertionError("no challenge ACK")
        connection.echo(b"alive")
        connection.close()

    def syn_in_a_connection_is_challenged(self):
        """RFC 5961, 4.2"""
        connection = self.connect()
        connection.send(SYN, seq=connection.seq + 10, ack=0)
        answer = connection.receive()
        if answer is None or answer.flags != ACK:
            raise AssertionError("no challenge ACK")
        connection.echo(b"alive")
        connection.close()

    def closed_connection_answers_reset(self):
        connection = Connection(self.peer, self.port, self.patience)
        connection.ack = 4711
        connection.send(ACK, b"nobody")
        answer = connection.receive()
        if answer is None or not answer.flags & RST or answer.seq != 4711:
            raise AssertionError("a segment of no connection: RST with its ACK as sequence number is due")

    def bad_tcp_options(self):
        connection = self.connect()
        for options in (b"\x02\x00\x00\x00", b"\x02\x01\x00\x00", b"\x08\xff\x00\x00", b"\x05\x03\x00\x00",
                        b"\x01\x01\x01\x08", b"\x05\x0a\x00\x00", b"\xfe\x04\x00\x00", b"\x03\x03\xff\x00"):
            connection.send(ACK, options=options)
        self.peer.drain()
        connection.echo(b"after bad options")
        connection.close()

    def bad_syn_options(self):
        """MSS 0 and 1, window scale 255, endless and truncated options: a connection or silence, no crash"""
        for options in (b"\x02\x04\x00\x00", b"\x02\x04\x00\x01", b"\x03\x03\xff\x00", b"\x02\x04",
                        b"\x08\x0a\x00\x00", b"\x02\x03\x00\x00", b"\x00\x00\x00\x00", b"\x04\x02\x04\x02"):
            connection = Connection(self.peer, self.port, self.patience)
            connection.send(SYN, ack=0, options=options)
            connection.seq += 1
            answer = connection.receive(SILENCE_S)
            if answer is not None and answer.flags & SYN:
                connection.ack = answer.seq + 1
                connection.send(ACK)
            connection.close()
        self.connect().close()

    def data_offset_lies(self):
        connection = self.connect()
        for offset in list(range(5)) + list(range(10, 16)):
            connection.send(ACK | PSH, b"", offset=offset)
        self.silence(connection, "a lying data offset")
        connection.echo(b"truth")
        connection.close()

    def ip_header_lies(self):
        connection = self.connect()
        segment = connection.segment(ACK | PSH, b"lies")
        for how in ({"version": 5}, {"version": 6}, {"words": 0}, {"words": 4}, {"words": 15}, {"length": 0},
                    {"length": 19}, {"length": 20}, {"length": 39}, {"length": 65535}):
            self.peer.send_ip(segment, **how)
        self.peer.drain()
        connection.echo(b"truth")
        connection.close()

    def every_flag_combination(self):
        """In a connection, on a listener, and for a port of no connection"""
        listener = Connection(self.peer, self.port, self.patience)
        for flags in range(64):
            self.peer.send_ip(tcp_segment(self.peer.ip, self.peer.remote_ip, 20000 + flags, self.port, 1000, 2000,
                                          flags))
        for flags in range(64):
            if flags & (RST | SYN | FIN):
                continue
            listener = listener if flags else self.connect()
            listener.send(flags, b"")
        self.peer.drain()
        listener.echo(b"after all flags")
        listener.close()

    def urgent_data_is_data(self):
        connection = self.connect()
        connection.send(ACK | URG | PSH, b"urgent", urgent=3)
        connection.seq += 6
        connection.expect(b"urgent")  # in line, RFC 6093
        connection.close()

    def reordered_and_overlapping(self):
        connection = self.connect()
        text = bytes(self.random.randrange(256) for _ in range(4000))
        pieces = []
        for start in range(0, len(text), 400):
            pieces.append((start, text[start:start + 400 + self.random.randrange(200)]))
        self.random.shuffle(pieces)
        for start, data in pieces:
            connection.send(ACK | PSH, data, seq=connection.seq + start)
        connection.seq += len(text)
        got = {}
        first = connection.ack
        while sum(len(d) for d in got.values()) < len(text):
            segment = connection.receive()
            if segment is None:
                raise AssertionError("echo of reordered segments is incomplete")
            if segment.data:
                got[(segment.seq - first) & 0xFFFFFFFF] = segment.data
                connection.ack = max(connection.ack, segment.seq + len(segment.data)) \
                    if segment.seq == connection.ack & 0xFFFFFFFF else connection.ack
                connection.send(ACK, ack=first + len(text)) if len(got) % 2 else None
        if b"".join(got[key] for key in sorted(got)) != text:
            raise AssertionError("the echo of reordered, overlapping segments differs")
        connection.close()

    def vlan_frames_are_another_network(self):
        connection = self.connect()
        frame = self.peer.eth + self.ip_of(connection.segment(ACK | PSH, b"tagged"))
        for tags in (b"\x81\x00\x00\x05", b"\x81\x00\x00\x05\x81\x00\x00\x06", b"\x88\xa8\x00\x05"):
            self.peer.send_frame(frame[:12] + tags + frame[12:])
        for length in range(14, 20):
            self.peer.send_frame((frame[:12] + b"\x81\x00\x00\x05" + frame[12:])[:length])
        self.silence(connection, "a frame of another VLAN")
        connection.echo(b"untagged")
        connection.close()

    def icmp_errors_for_foreign_flows(self):
        """ICMP errors with quotes that are wrong, short, or of sequence numbers never sent"""
        connection = self.connect()
        quote = self.ip_of(connection.segment(ACK, b""))
        quote = quote[:12] + quote[16:20] + quote[12:16] + quote[20:]
        from wire import checksum
        for kind, code in ((3, 0), (3, 1), (3, 3), (3, 4), (11, 0), (12, 0), (3, 200)):
            for length in (0, 8, 19, 20, 27, 28, len(quote)):
                body = struct.pack("!BBHI", kind, code, 0, 68) + quote[:length]
                body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
                self.peer.send_ip(body, proto=1)
        self.peer.drain()
        connection.echo(b"still here")
        connection.close()

    def random_frames(self):
        """Noise of two kinds: random bytes, and a good segment with random bytes changed"""
        connection = self.connect()
        good = self.peer.eth + self.ip_of(connection.segment(ACK | PSH, b"n" * 60, seq=connection.seq + (1 << 29)))
        for _ in range(3000):
            noise = bytearray(good)
            for _ in range(self.random.randrange(1, 5)):
                noise[self.random.randrange(12, len(noise))] = self.random.randrange(256)
            self.peer.send_frame(bytes(noise[:self.random.randrange(14, len(noise) + 1)]))
            self.peer.send_frame(self.peer.eth + bytes(self.random.randrange(256) for _ in range(60)))
        self.peer.drain()
        self.connect().echo(b"after the noise")
        connection.close()


def main():
    device, mac, ip, remote_mac, remote_ip, port, seed, patience = sys.argv[1:]
    peer = Peer(device, mac, ip, remote_mac, remote_ip)
    suite = Suite(peer, int(port), int(seed), float(patience))
    failed = 0
    for name, test in list(Suite.__dict__.items()):
        if name in ("connect", "silence", "ip_of") or name.startswith("_"):
            continue
        peer.drain()
        try:
            test(suite)
            print("ok packets: %s" % name)
        except AssertionError as error:
            failed += 1
            print("not ok packets: %s: %s (seed %s)" % (name, error, seed))
        sys.stdout.flush()
    sys.exit(failed > 0)


main()
