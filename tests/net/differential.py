# SPDX-License-Identifier: BSD-2-Clause
"""differential.py DEVICE OWN_MAC OWN_IP REMOTE_MAC REMOTE_IP IX_PORT KERNEL_PORT TABLE PATIENCE: the same segments to
ixd and to the kernel, on two ports of one host; the answers must be the same, or their difference is explained in
the table. A probe is a function; it gets a Talk, which brings a connection into a state, and asks one question.
Prints TAP lines, and the number of probes.

What is compared: how many answers, their flags but PSH, sequence and acknowledgement numbers relative to where the
connection stands, how much data, the options of a SYN-ACK; and what the connection says to one more byte, sent in
order. What is not: windows, timestamps, option values but the MSS, when an answer comes.

The table: PROBE <tab> IXD'S ANSWER <tab> KERNEL'S ANSWER <tab> REASON. A row that no longer applies is an error."""

import select
import socket
import struct
import sys
import time

from wire import ACK, ETH_IP, FIN, MSS, PSH, RST, SYN, URG, Segment, ip_packet, tcp_segment

ECE, CWR = 64, 128
NAMES = ((SYN, "S"), (FIN, "F"), (RST, "R"), (ACK, "A"), (URG, "U"), (ECE, "E"), (CWR, "C"))
OPTION_NAMES = {0: "end", 1: "nop", 2: "mss", 3: "wscale", 4: "sackok", 5: "sack", 8: "ts", 34: "tfo"}
SACK_OK = b"\x04\x02"
WSCALE = b"\x03\x03\x07"
FAR = 1 << 30


def timestamps(value, echo=0):
    return b"\x08\x0a" + struct.pack("!II", value & 0xFFFFFFFF, echo & 0xFFFFFFFF)


FULL = MSS + SACK_OK + timestamps(1000) + b"\x01" + WSCALE


def signed(number):
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def option_words(options):
    words, at = [], 0
    while at < len(options):
        kind = options[at]
        word = OPTION_NAMES.get(kind, str(kind))
        if kind == 2:
            word += "=%d" % struct.unpack("!H", options[at + 2:at + 4])
        words.append(word)
        if kind == 0:
            break
        at += 1 if kind == 1 else options[at + 1]
    return ",".join(words)


class Host:
    """A host that exists only here; segments that come for it are kept by port."""

    def __init__(self, device, mac, ip, remote_mac, remote_ip):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((device, 0))
        self.eth = remote_mac + mac + struct.pack("!H", ETH_IP)
        self.ip, self.remote_ip = ip, remote_ip
        self.came = {}

    def send(self, segment):
        self.socket.send(self.eth + ip_packet(self.ip, self.remote_ip, segment))

    def listen(self, seconds, is_enough=lambda: False):
        end = time.monotonic() + seconds
        while not is_enough():
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return
            frame, origin = self.socket.recvfrom(65535)
            packet = frame[14:]
            if origin[2] == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00" or packet[9] != 6 or \
                    packet[16:20] != self.ip:
                continue
            segment = Segment(packet)
            self.came.setdefault(segment.dport, []).append(segment)


class Talk:
    """One connection with one of the two, by hand. Steps are generators: they yield how long to wait, or a
    condition and how long at most, so that both talks of a probe go on at the same time."""

    def __init__(self, host, sport, dport):
        self.host, self.sport, self.dport = host, sport, dport
        self.isn = (0xFFFFF000 + sport * 7919) & 0xFFFFFFFF
        self.seq, self.ack = self.isn, 0
        self.window_edge = 0  # of theirs, absolute
        self.options = b""  # of every segment once the connection is open
        self.answers = []

    def came(self):
        return self.host.came.get(self.sport, [])

    def forget(self):
        self.host.came.pop(self.sport, None)

    def send(self, flags, data=b"", seq=0, ack=0, options=None, **how):
        """seq and ack count from where the connection stands."""
        self.host.send(tcp_segment(self.host.ip, self.host.remote_ip, self.sport, self.dport, self.seq + seq,
                                   self.ack + ack if flags & ACK or "raw_ack" in how else 0, flags, data,
                                   options=self.options if options is None else options,
                                   **{key: value for key, value in how.items() if key != "raw_ack"}))

    def open_half(self, options=MSS):
        """Until SYN_RCVD."""
        self.send(SYN, options=options)
        self.seq += 1
        yield lambda: self.came(), 1.0
        answer = self.came()[0]
        self.ack = answer.seq + 1
        self.window_edge = self.seq + answer.window
        self.forget()

    def open(self, options=MSS):
        yield from self.open_half(options)
        self.send(ACK)
        yield 0.03

    def open_timestamps(self):
        yield from self.open_half(FULL)
        self.options = b"\x01\x01" + timestamps(2000)
        self.send(ACK)
        yield 0.03

    def order(self, text):
        """What the application shall do; its segments are acknowledged only by what follows."""
        self.send(ACK | PSH, text)
        self.seq += len(text)
        yield 0.06
        self.forget()

    def their_end(self, order=b"f"):
        """The FIN has come, and nothing of it is acknowledged: FIN_WAIT_1."""
        self.send(ACK | PSH, order)
        self.seq += len(order)
        yield lambda: any(s.flags & FIN for s in self.came()), 1.0
        self.forget()

    def fin_wait_2(self):
        yield from self.their_end()
        self.ack += 1
        self.send(ACK)
        yield 0.03

    def our_end(self):
        """CLOSE_WAIT."""
        self.send(FIN | ACK)
        self.seq += 1
        yield 0.06
        self.forget()

    def time_wait(self):
        yield from self.fin_wait_2()
        self.send(FIN | ACK)
        self.seq += 1
        yield 0.06
        self.forget()

    def word(self, segment):
        flags = "".join(name for bit, name in NAMES if segment.flags & bit)
        seq, ack = signed(segment.seq - self.ack), signed(segment.ack - self.seq)
        text = flags or "none"
        if segment.flags & RST and segment.seq == 0:
            text += " seq 0"
        elif not segment.flags & SYN:
            text += " seq%+d" % seq
        if segment.flags & ACK:
            text += " ack%+d" % ack
        if segment.data:
            text += " len %d" % len(segment.data)
        if segment.flags & SYN:
            text += " <%s>" % option_words(segment.options)
        return text

    def hear(self):
        """Answers so far, what came more than once only once."""
        words = []
        for segment in self.came():
            word = self.word(segment)
            if word not in words:
                words.append(word)
        self.forget()
        return "; ".join(words) or "silence"

    def verdict(self):
        text = " | ".join(self.answers)
        return text


def ask(*args, **how):
    """A probe that opens a connection, sends one segment and looks whether the connection goes on."""
    before = how.pop("before", "open")
    is_over = how.pop("is_over", False)

    def probe(talk):
        yield from getattr(talk, before)()
        talk.forget()
        fields = {key: value(talk) if callable(value) else value for key, value in how.items()}
        talk.send(*args, **fields)
        yield 0.15
        talk.answers.append(talk.hear())
        if is_over:
            return
        talk.send(ACK, b".", options=talk.options)
        yield 0.1
        talk.answers.append("then " + talk.hear())
    return probe


def stray(flags, options=b"", **how):
    """One segment from nobody to the listener; what it opened, if anything, is reset."""
    def probe(talk):
        talk.ack = 4711
        talk.send(flags, options=options, raw_ack=True, **how)
        talk.seq += 1 if flags & SYN else 0
        yield 0.15
        talk.answers.append(talk.hear())
    return probe


def edge(beyond):
    """Where their window ends, and so many bytes beyond, as a distance from where we stand."""
    return lambda talk: signed(talk.window_edge - talk.seq) + beyond


def old_timestamp(talk):
    return b"\x01\x01" + timestamps(1500)


def half_open(talk):
    """We have restarted: a SYN out of nowhere, the challenge, and our RST for it"""
    yield from talk.open()
    talk.forget()
    talk.send(SYN, seq=5000, options=MSS)
    yield 0.15
    talk.answers.append(talk.hear())
    talk.send(RST)
    yield 0.05
    talk.send(ACK, b".")
    yield 0.1
    talk.answers.append("then " + talk.hear())


def out_of_order(talk):
    """The second piece, and then the first"""
    yield from talk.open_half(MSS + SACK_OK + b"\x01\x01")
    talk.send(ACK)
    yield 0.03
    talk.forget()
    talk.send(ACK, b"xxxxxx", seq=5)
    yield 0.15
    talk.answers.append(talk.hear())
    talk.send(ACK, b"xxxxx")
    talk.seq += 11
    yield 0.15
    talk.answers.append(talk.hear())


def old_syn_again(talk):
    """SYN_RCVD: our SYN was lost, as we think"""
    yield from talk.open_half()
    talk.send(SYN, seq=-1, options=MSS)
    yield 0.15
    talk.answers.append(talk.hear())


def completes(flags, data=b"", **how):
    """SYN_RCVD: what completes the handshake, or does not"""
    def probe(talk):
        yield from talk.open_half()
        talk.send(flags, data, **how)
        yield 0.15
        talk.answers.append(talk.hear())
        talk.send(ACK, b".", seq=len(data) + (1 if flags & FIN else 0))
        yield 0.1
        talk.answers.append("then " + talk.hear())
    return probe


def closing(talk):
    """FIN_WAIT_1: their FIN is not acknowledged, ours comes; then the ACK"""
    yield from talk.their_end()
    talk.send(FIN | ACK)
    talk.seq += 1
    yield 0.1
    talk.answers.append(talk.hear())
    talk.ack += 1
    talk.send(ACK)
    yield 0.1
    talk.answers.append("then " + talk.hear())
    talk.send(FIN | ACK, seq=-1)
    yield 0.1
    talk.answers.append("then " + talk.hear())


def time_wait_syn(how_far):
    def probe(talk):
        yield from talk.open()
        yield from talk.time_wait()
        talk.send(SYN, seq=how_far, options=MSS)
        talk.seq += how_far + 1
        yield 0.15
        talk.answers.append(talk.hear())
    return probe


def both_ends(order):
    """Our FIN, and then theirs: LAST_ACK, which our ACK ends"""
    def probe(talk):
        yield from talk.open()
        talk.forget()
        talk.send(ACK | PSH | FIN, order)
        talk.seq += len(order) + 1
        yield 0.12
        # Whether an ACK comes before the FIN is a matter of how soon the application acts.
        talk.answers.append(talk.hear().split("; ")[-1])
        talk.ack += 1
        talk.send(ACK)
        yield 0.05
        talk.send(ACK)
        yield 0.1
        talk.answers.append("then " + talk.hear())
    return probe


def closed_by(order):
    """The application is gone, data comes"""
    def probe(talk):
        yield from talk.open()
        yield from talk.order(order)
        talk.send(ACK, b"xxxx")
        yield 0.15
        talk.answers.append(talk.hear())
    return probe


def in_state(opening, *args, **how):
    """One segment in the state that `opening` (a method of Talk) leads to"""
    def probe(talk):
        yield from talk.open()
        yield from getattr(talk, opening)()
        talk.forget()
        fields = {key: value(talk) if callable(value) else value for key, value in how.items()}
        talk.send(*args, **fields)
        yield 0.15
        talk.answers.append(talk.hear())
        talk.send(ACK)
        yield 0.05
        talk.send(RST)
        talk.forget()
    return probe


NMAP_1 = b"\x03\x03\x0a\x01\x02\x04\x05\xb4\x08\x0a\xff\xff\xff\xff\x00\x00\x00\x00\x04\x02"
NMAP_2 = b"\x02\x04\x05\x78\x03\x03\x00\x04\x02\x08\x0a\xff\xff\xff\xff\x00\x00\x00\x00\x00"
NMAP_6 = b"\x02\x04\x01\x09\x04\x02\x08\x0a\xff\xff\xff\xff\x00\x00\x00\x00"
NMAP_T = b"\x03\x03\x0a\x01\x02\x04\x01\x09\x08\x0a\xff\xff\xff\xff\x00\x00\x00\x00\x04\x02"

PROBES = {
    # A SYN and its options
    "syn-mss": stray(SYN, MSS),
    "syn-without-options": stray(SYN),
    "syn-all-options": stray(SYN, FULL),
    "syn-options-in-another-order": stray(SYN, WSCALE + SACK_OK + timestamps(1) + MSS + b"\x01"),
    "syn-sackok-only": stray(SYN, SACK_OK + b"\x01\x01"),
    "syn-timestamps-only": stray(SYN, b"\x01\x01" + timestamps(5)),
    "syn-wscale-only": stray(SYN, b"\x01" + WSCALE),
    "syn-wscale-15": stray(SYN, MSS + b"\x01\x03\x03\x0f"),
    "syn-wscale-255": stray(SYN, MSS + b"\x01\x03\x03\xff"),
    "syn-mss-0": stray(SYN, b"\x02\x04\x00\x00"),
    "syn-mss-1": stray(SYN, b"\x02\x04\x00\x01"),
    "syn-mss-65535": stray(SYN, b"\x02\x04\xff\xff"),
    "syn-mss-twice": stray(SYN, MSS + b"\x02\x04\x02\x18"),
    "syn-unknown-option": stray(SYN, b"\xfd\x04ab" + MSS),
    "syn-option-of-length-0": stray(SYN, b"\x08\x00\x00\x00" + MSS),
    "syn-option-of-length-1": stray(SYN, b"\x08\x01\x00\x00" + MSS),
    "syn-option-beyond-the-header": stray(SYN, MSS + b"\x01\x01\x08\x0a"),
    "syn-end-of-options": stray(SYN, b"\x00\x00\x00\x00" + MSS),
    "syn-fast-open-asked": stray(SYN, MSS + b"\x22\x02\x01\x01"),
    "syn-with-data": stray(SYN, MSS, data=b"xxxxx"),
    "syn-urgent": stray(SYN | URG, MSS, urgent=1),
    "syn-psh": stray(SYN | PSH, MSS),
    "syn-ecn": stray(SYN | ECE | CWR, MSS),
    "syn-window-0": stray(SYN, MSS, window=0),
    "syn-fin": stray(SYN | FIN, MSS),
    "syn-rst": stray(SYN | RST, MSS),
    "syn-bad-checksum": stray(SYN, MSS, bad_sum=True),
    "syn-data-offset-4": stray(SYN, offset=4),
    "syn-data-offset-15": stray(SYN, offset=15),
    # Nobody's segments at a listener
    "listen-ack": stray(ACK),
    "listen-ack-data": stray(ACK | PSH, data=b"xxxxx"),
    "listen-syn-ack": stray(SYN | ACK, MSS),
    "listen-rst": stray(RST),
    "listen-rst-ack": stray(RST | ACK),
    "listen-fin": stray(FIN),
    "listen-fin-ack": stray(FIN | ACK),
    "listen-null": stray(0),
    "listen-xmas": stray(FIN | PSH | URG),
    "listen-all-flags": stray(SYN | FIN | RST | PSH | ACK | URG),
    # nmap's probes for the recognition of systems, those to an open port
    "nmap-seq-1": stray(SYN, NMAP_1, window=1),
    "nmap-seq-2": stray(SYN, NMAP_2, window=63),
    "nmap-seq-6": stray(SYN, NMAP_6, window=512),
    "nmap-ecn": stray(SYN | ECE | CWR, b"\x03\x03\x0a\x01\x02\x04\x05\xb4\x04\x02\x01\x01", window=3, urgent=0xF7F5),
    "nmap-t2-null": stray(0, NMAP_T, window=128),
    "nmap-t3-syn-fin-psh-urg": stray(SYN | FIN | PSH | URG, NMAP_T, window=256),
    "nmap-t4-ack": stray(ACK, NMAP_T, window=1024),
    # SYN_RCVD
    "syn-rcvd-syn-again": old_syn_again,
    "syn-rcvd-ack": completes(ACK),
    "syn-rcvd-data": completes(ACK, b"xxxxx"),
    "syn-rcvd-fin": completes(FIN | ACK),
    "syn-rcvd-ack-too-high": completes(ACK, ack=1000),
    "syn-rcvd-ack-too-low": completes(ACK, ack=-1000),
    "syn-rcvd-no-ack": completes(0, b"xxxxx"),
    "syn-rcvd-rst": completes(RST),
    "syn-rcvd-rst-ack": completes(RST | ACK),
    "syn-rcvd-rst-in-window": completes(RST, seq=100),
    "syn-rcvd-rst-outside": completes(RST, seq=FAR),
    "syn-rcvd-syn-in-window": completes(SYN, seq=100),
    "syn-rcvd-syn-outside": completes(SYN, seq=FAR),
    "syn-rcvd-syn-ack": completes(SYN | ACK, seq=-1),
    "syn-rcvd-outside": completes(ACK, b"xxx", seq=FAR),
    # ESTABLISHED
    "rst-exact": ask(RST),
    "rst-ack-exact": ask(RST | ACK),
    "rst-in-window": ask(RST, seq=100),
    "rst-below": ask(RST, seq=-1),
    "rst-at-the-last-byte": ask(RST, seq=edge(-1)),
    "rst-beyond": ask(RST, seq=FAR),
    "rst-with-wrong-ack": ask(RST | ACK, ack=5000),
    "syn-exact": ask(SYN),
    "syn-in-window": ask(SYN, seq=100),
    "syn-below": ask(SYN, seq=-1),
    "syn-outside": ask(SYN, seq=FAR),
    "syn-ack-in-window": ask(SYN | ACK, seq=100),
    "syn-ack-again": ask(SYN | ACK, seq=-1),
    "data": ask(ACK | PSH, b".", is_over=True),
    "data-without-ack": ask(0, b"x"),
    "null": ask(0),
    "xmas": ask(FIN | PSH | URG),
    "fin-without-ack": ask(FIN),
    "urgent-data": ask(ACK | URG, b".", urgent=1, is_over=True),
    "urgent-beyond": ask(ACK | URG, b".", urgent=30000, is_over=True),
    "data-bad-checksum": ask(ACK, b"x", bad_sum=True),
    "data-offset-4": ask(ACK, b"x", offset=4),
    "data-offset-15": ask(ACK, b"x", offset=15),
    "data-before": ask(ACK, b"xxx", seq=-3),
    "data-half-before": ask(ACK, b"xxx.", seq=-3, is_over=True),
    "data-beyond": ask(ACK, b"xxx", seq=FAR),
    "data-far-below": ask(ACK, b"xxx", seq=-FAR),
    "data-behind-the-edge": ask(ACK, b"x", seq=edge(200000)),
    "ack-outside": ask(ACK, seq=FAR),
    "ack-of-unsent": ask(ACK, ack=1000),
    "ack-of-unsent-with-data": ask(ACK, b"x", ack=1000),
    "ack-far-below": ask(ACK, ack=-FAR),
    "ack-far-below-with-data": ask(ACK, b"x", ack=-FAR),
    "keepalive": ask(ACK, seq=-1),
    "keepalive-with-a-byte": ask(ACK, b"\0", seq=-1),
    "fin": ask(FIN | ACK, is_over=True),
    "fin-out-of-order": ask(FIN | ACK, seq=10),
    "fin-beyond": ask(FIN | ACK, seq=FAR),
    "malformed-sack": ask(ACK, options=b"\x05\x03\x00\x00"),
    "option-of-length-0": ask(ACK, options=b"\x08\x00\x00\x00"),
    "old-timestamp": ask(ACK, b"x", before="open_timestamps", options=old_timestamp),
    "old-timestamp-no-data": ask(ACK, before="open_timestamps", options=old_timestamp),
    "old-timestamp-rst": ask(RST, before="open_timestamps", options=old_timestamp),
    "no-timestamp": ask(ACK, b"x", before="open_timestamps", options=b""),
    "out-of-order": out_of_order,
    "half-open": half_open,
    # The peer has ended: CLOSE_WAIT, LAST_ACK
    "close-wait-fin-again": in_state("our_end", FIN | ACK, seq=-1),
    "close-wait-data-after-fin": in_state("our_end", ACK, b"x"),
    "close-wait-rst-in-window": in_state("our_end", RST, seq=100),
    "close-wait-rst-exact": in_state("our_end", RST),
    "close-wait-syn": in_state("our_end", SYN, seq=100),
    "close-wait-ack-of-unsent": in_state("our_end", ACK, ack=1000),
    "last-ack": both_ends(b"c"),
    # The application has ended: FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT
    "fin-wait-1-data": in_state("their_end", ACK, b"x"),
    "fin-wait-1-rst-in-window": in_state("their_end", RST, seq=100),
    "fin-wait-1-syn": in_state("their_end", SYN, seq=100),
    "fin-wait-1-ack-of-unsent": in_state("their_end", ACK, ack=1000),
    "fin-wait-1-fin-and-ack": in_state("their_end", FIN | ACK, ack=1),
    "closing": closing,
    "fin-wait-2-data": in_state("fin_wait_2", ACK, b"x"),
    "fin-wait-2-fin": in_state("fin_wait_2", FIN | ACK),
    "fin-wait-2-fin-out-of-order": in_state("fin_wait_2", FIN | ACK, seq=10),
    "fin-wait-2-rst-in-window": in_state("fin_wait_2", RST, seq=100),
    "fin-wait-2-rst-exact": in_state("fin_wait_2", RST),
    "time-wait-fin-again": in_state("time_wait", FIN | ACK, seq=-1),
    "time-wait-data": in_state("time_wait", ACK, b"x"),
    "time-wait-rst": in_state("time_wait", RST),
    "time-wait-ack": in_state("time_wait", ACK),
    "time-wait-syn-above": time_wait_syn(100000),
    "time-wait-syn-below": time_wait_syn(-100000),
    "closed-data": closed_by(b"c"),
    "reset-data": closed_by(b"r"),
}


def run_both(host, talks, probe, patience):
    """Both talks step by step: each yields a wait, or a condition and a limit, and gets it."""
    steps = {talk: probe(talk) for talk in talks}
    while steps:
        waits = []
        for talk in list(steps):
            try:
                wait = next(steps[talk])
            except StopIteration:
                del steps[talk]
                continue
            except IndexError:
                talk.answers.append("no connection")
                del steps[talk]
                continue
            waits.append(wait)
        conditions = [wait[0] for wait in waits if isinstance(wait, tuple)]
        seconds = [wait[1] if isinstance(wait, tuple) else wait for wait in waits]
        if seconds:
            is_enough = (lambda: all(c() for c in conditions)) if len(conditions) == len(waits) else lambda: False
            host.listen(max(seconds) * patience, is_enough)


def read_table(path):
    rows = {}
    for line in open(path):
        if line.strip() and not line.startswith("#"):
            name, ours, kernels, reason = line.rstrip("\n").split("\t")
            rows[name] = (ours, kernels, reason)
    return rows


def main():
    device, mac, ip, remote_mac, remote_ip, port, kernel_port, table, patience = sys.argv[1:10]
    only = sys.argv[10:]
    rows = read_table(table)
    host = Host(device, bytes.fromhex(mac.replace(":", "")), socket.inet_aton(ip),
                bytes.fromhex(remote_mac.replace(":", "")), socket.inet_aton(remote_ip))
    failed = 0
    sport = 20000
    for name, probe in PROBES.items():
        if only and name not in only:
            continue
        row = rows.pop(name, None)
        # A busy machine answers late: what is not as it should be is asked again, with more patience.
        for times in (1, 3, 10):
            # Ports of their own: what an earlier probe left behind does not matter.
            talks = [Talk(host, sport, int(port)), Talk(host, sport + 1, int(kernel_port))]
            sport += 2
            run_both(host, talks, probe, float(patience) * times)
            ours, kernels = (talk.verdict() for talk in talks)
            for talk in talks:
                talk.send(RST, options=b"")
            if (ours, kernels) == row[:2] if row else ours == kernels:
                break
        if row is None and ours == kernels:
            print("ok differential: %s: %s" % (name, ours))
        elif row is not None and row[:2] == (ours, kernels):
            print("ok differential: %s differs, as explained: %s" % (name, row[2]))
        else:
            failed += 1
            print("not ok differential: %s\n# ixd:    %s\n# kernel: %s" % (name, ours, kernels))
            if row is not None:
                print("# table:  %s\n#         %s" % row[:2])
        sys.stdout.flush()
    for name in rows if not only else ():
        failed += 1
        print("not ok differential: the table explains %s, which nobody asks" % name)
    print("# %d probes" % (len(PROBES) if not only else len(only)))
    sys.exit(failed > 0)


main()
