#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a server of memcached's text and binary protocols must answer, byte by byte: kv_client.py ADDRESS:PORT.

Prints `ok NAME` or `not ok NAME` per case; with --reference, cases of which memcached makes no promise (limits
of our own) are left out.
"""
import socket
import struct
import sys
import time

WHERE = None
PATIENCE_S = 10
CASES = []


def case(name, own=False):
    def add(function):
        CASES.append((name, own, function))
        return function
    return add


class Conn:
    def __init__(self):
        self.sock = socket.create_connection(WHERE, timeout=PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        data = self.sock.recv(1 << 16)
        self.rest += data
        return bool(data)

    def take(self, count):
        while len(self.rest) < count:
            assert self.more(), f"connection closed, {self.rest[:80]!r} came"
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def line(self):
        while b"\n" not in self.rest:
            assert self.more(), f"connection closed, {self.rest[:80]!r} came"
        data, self.rest = self.rest.split(b"\n", 1)
        return data + b"\n"

    def until_closed(self):
        try:
            while self.more():
                pass
        except ConnectionResetError:
            pass
        return self.rest

    def says(self, request, answer):
        """Exactly this, and nothing behind it: a version request follows as a fence."""
        self.send(request + b"version\r\n")
        got = self.take(len(answer))
        assert got == answer, f"{request[:80]!r}: {got[:200]!r} instead of {answer[:200]!r}"
        fence = self.line()
        assert fence.startswith(b"VERSION "), f"{request[:80]!r}: {fence!r} behind the answer"

    def get(self, key):
        self.send(b"get " + key + b"\r\n")
        head = self.line()
        if head == b"END\r\n":
            return None
        words = head.split()
        assert words[0] == b"VALUE" and words[1] == key, head
        value = self.take(int(words[3]))
        assert self.take(7) == b"\r\nEND\r\n"
        return value

    def cas_of(self, key):
        self.send(b"gets " + key + b"\r\n")
        words = self.line().split()
        self.take(int(words[3]))
        assert self.take(7) == b"\r\nEND\r\n"
        return words[4]

    def stats(self):
        self.send(b"stats\r\n")
        rows = {}
        while True:
            line = self.line()
            if line == b"END\r\n":
                return rows
            word, name, value = line.decode().split(None, 2)
            assert word == "STAT", line
            rows[name] = value.strip()


# ---- text

def text(name, *exchange, own=False):
    """A case that is a list of (request, exact answer)."""
    def run():
        conn = Conn()
        conn.says(b"flush_all\r\n", b"OK\r\n")
        for request, answer in exchange:
            conn.says(request, answer)
    CASES.append(("text: " + name, own, run))


text("set and get", (b"set a 5 0 3\r\nabc\r\n", b"STORED\r\n"), (b"get a\r\n", b"VALUE a 5 3\r\nabc\r\nEND\r\n"))
text("get of nothing", (b"get nothing\r\n", b"END\r\n"))
text("get of several, in order, without those that are not there",
     (b"set a 1 0 1\r\nA\r\nset b 2 0 2\r\nBB\r\n", b"STORED\r\nSTORED\r\n"),
     (b"get b x a y\r\n", b"VALUE b 2 2\r\nBB\r\nVALUE a 1 1\r\nA\r\nEND\r\n"))
text("an empty value", (b"set e 0 0 0\r\n\r\n", b"STORED\r\n"), (b"get e\r\n", b"VALUE e 0 0\r\n\r\nEND\r\n"))
text("flags of 32 bits", (b"set f 4294967295 0 1\r\nx\r\n", b"STORED\r\n"),
     (b"get f\r\n", b"VALUE f 4294967295 1\r\nx\r\nEND\r\n"))
text("a value with line ends in it", (b"set l 0 0 9\r\nx\r\nEND\r\ny\r\n", b"STORED\r\n"),
     (b"get l\r\n", b"VALUE l 0 9\r\nx\r\nEND\r\ny\r\nEND\r\n"))
text("a line that ends without a carriage return", (b"set n 0 0 1\nx\r\n", b"STORED\r\n"),
     (b"get n\n", b"VALUE n 0 1\r\nx\r\nEND\r\n"))
text("blanks between words", (b"set  b  0   0 1\r\nx\r\n", b"STORED\r\n"),
     (b"get  b   b\r\n", b"VALUE b 0 1\r\nx\r\nVALUE b 0 1\r\nx\r\nEND\r\n"))
text("add", (b"add a 0 0 1\r\n1\r\n", b"STORED\r\n"), (b"add a 0 0 1\r\n2\r\n", b"NOT_STORED\r\n"),
     (b"get a\r\n", b"VALUE a 0 1\r\n1\r\nEND\r\n"))
text("replace", (b"replace a 0 0 1\r\n1\r\n", b"NOT_STORED\r\n"), (b"set a 0 0 1\r\n1\r\n", b"STORED\r\n"),
     (b"replace a 7 0 2\r\n22\r\n", b"STORED\r\n"), (b"get a\r\n", b"VALUE a 7 2\r\n22\r\nEND\r\n"))
text("append and prepend keep the flags",
     (b"append a 0 0 1\r\n1\r\n", b"NOT_STORED\r\n"), (b"prepend a 0 0 1\r\n1\r\n", b"NOT_STORED\r\n"),
     (b"set a 9 0 1\r\nm\r\n", b"STORED\r\n"), (b"append a 1 0 2\r\nzz\r\n", b"STORED\r\n"),
     (b"prepend a 2 0 2\r\naa\r\n", b"STORED\r\n"), (b"get a\r\n", b"VALUE a 9 5\r\naamzz\r\nEND\r\n"))
text("delete", (b"delete a\r\n", b"NOT_FOUND\r\n"), (b"set a 0 0 1\r\nx\r\n", b"STORED\r\n"),
     (b"delete a\r\n", b"DELETED\r\n"), (b"get a\r\n", b"END\r\n"), (b"delete a 0\r\n", b"NOT_FOUND\r\n"))
text("delete with a time is refused",
     (b"delete a 5\r\n", b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"))
text("incr and decr", (b"incr n 1\r\n", b"NOT_FOUND\r\n"), (b"set n 3 0 1\r\n5\r\n", b"STORED\r\n"),
     (b"incr n 10\r\n", b"15\r\n"), (b"decr n 5\r\n", b"10\r\n"), (b"decr n 100\r\n", b"0\r\n"),
     (b"incr n 18446744073709551615\r\n", b"18446744073709551615\r\n"), (b"incr n 2\r\n", b"1\r\n"),
     (b"decr x 1\r\n", b"NOT_FOUND\r\n"))
text("incr refuses what is no number", (b"set s 0 0 3\r\nabc\r\n", b"STORED\r\n"),
     (b"incr s 1\r\n", b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"),
     (b"incr s x\r\n", b"CLIENT_ERROR invalid numeric delta argument\r\n"),
     (b"incr s -1\r\n", b"CLIENT_ERROR invalid numeric delta argument\r\n"))
text("touch", (b"touch a 0\r\n", b"NOT_FOUND\r\n"), (b"set a 0 0 1\r\nx\r\n", b"STORED\r\n"),
     (b"touch a 100\r\n", b"TOUCHED\r\n"), (b"touch a x\r\n", b"CLIENT_ERROR invalid exptime argument\r\n"),
     (b"touch a -1\r\n", b"TOUCHED\r\n"), (b"get a\r\n", b"END\r\n"))
text("gat", (b"set a 4 0 1\r\nx\r\n", b"STORED\r\n"), (b"gat 100 a b\r\n", b"VALUE a 4 1\r\nx\r\nEND\r\n"),
     (b"gat 0 b\r\n", b"END\r\n"), (b"gat x a\r\n", b"CLIENT_ERROR invalid exptime argument\r\n"))
text("noreply says nothing",
     (b"set a 0 0 1 noreply\r\nx\r\nadd a 0 0 1 noreply\r\ny\r\nreplace a 0 0 1 noreply\r\n5\r\n"
      b"append a 0 0 1 noreply\r\n6\r\nprepend a 0 0 1 noreply\r\n4\r\nincr a 1 noreply\r\n"
      b"decr a 2 noreply\r\ntouch a 0 noreply\r\nverbosity 0 noreply\r\n", b""),
     (b"get a\r\n", b"VALUE a 0 3\r\n455\r\nEND\r\n"), (b"delete a noreply\r\n", b""), (b"get a\r\n", b"END\r\n"),
     (b"flush_all noreply\r\n", b""), (b"flush_all 0 noreply\r\n", b""))
text("exptime in the past", (b"set a 0 -1 1\r\nx\r\n", b"STORED\r\n"), (b"get a\r\n", b"END\r\n"),
     (b"add a 0 0 1\r\ny\r\n", b"STORED\r\n"))
text("flush_all, and what comes after it", (b"set a 0 0 1\r\nx\r\n", b"STORED\r\n"), (b"flush_all\r\n", b"OK\r\n"),
     (b"get a\r\n", b"END\r\n"))
text("verbosity", (b"verbosity 1\r\n", b"OK\r\n"))
text("unknown commands", (b"nonsense\r\n", b"ERROR\r\n"), (b"\r\n", b"ERROR\r\n"), (b"get\r\n", b"ERROR\r\n"),
     (b"gets\r\n", b"ERROR\r\n"), (b"SET a 0 0 1\r\n", b"ERROR\r\n"), (b"touch a\r\n", b"ERROR\r\n"),
     (b"incr a\r\n", b"ERROR\r\n"), (b"set a 0 0\r\n", b"ERROR\r\n"), (b"delete\r\n", b"ERROR\r\n"))
text("numbers that are none", (b"set a x 0 1\r\n", b"CLIENT_ERROR bad command line format\r\n"),
     (b"set a 0 x 1\r\n", b"CLIENT_ERROR bad command line format\r\n"),
     (b"set a 0 0 x\r\n", b"CLIENT_ERROR bad command line format\r\n"),
     (b"flush_all x\r\n", b"CLIENT_ERROR invalid exptime argument\r\n"))
text("flags of more than 32 bits", (b"set a 4294967296 0 1\r\n", b"CLIENT_ERROR bad command line format\r\n"),
     (b"set a -1 0 1\r\n", b"CLIENT_ERROR bad command line format\r\n"), own=True)
text("a negative length", (b"set a 0 0 -1\r\n", b"CLIENT_ERROR bad command line format\r\n"))
text("lengths of more than 32 bits", (b"set a 0 0 4294967297\r\n", b"CLIENT_ERROR bad command line format\r\n"), own=True)
text("what is behind a value that is longer than was said is no command",
     (b"set a 0 0 1\r\nx quit\r\n", b"CLIENT_ERROR bad data chunk\r\n"), own=True)
text("a key of 250 bytes", (b"set " + b"k" * 250 + b" 0 0 1\r\nx\r\n", b"STORED\r\n"),
     (b"get " + b"k" * 250 + b"\r\n", b"VALUE " + b"k" * 250 + b" 0 1\r\nx\r\nEND\r\n"))
text("a key of 251 bytes", (b"get " + b"k" * 251 + b"\r\n", b"CLIENT_ERROR bad command line format\r\n"),
     (b"set " + b"k" * 251 + b" 0 0 1\r\n", b"CLIENT_ERROR bad command line format\r\n"),
     (b"delete " + b"k" * 251 + b"\r\n", b"CLIENT_ERROR bad command line format\r\n"),
     (b"incr " + b"k" * 251 + b" 1\r\n", b"CLIENT_ERROR bad command line format\r\n"))
text("a key with a carriage return in it", (b"set a\rb 0 0 1\r\nx\r\n", b"STORED\r\n"),
     (b"get a\rb\r\n", b"VALUE a\rb 0 1\r\nx\r\nEND\r\n"))
text("a value that is too large for an item, and what was there goes",
     (b"set a 0 0 1\r\nx\r\n", b"STORED\r\n"),
     (b"set a 0 0 1048577\r\n" + b"v" * 1048577 + b"\r\n", b"SERVER_ERROR object too large for cache\r\n"),
     (b"get a\r\n", b"END\r\n"),
     (b"set a 0 0 1048577 noreply\r\n" + b"v" * 1048577 + b"\r\n", b""))
text("a chain of requests in one segment",
     (b"".join(b"set k%d 0 0 2\r\n%02d\r\n" % (i, i) for i in range(60)), b"STORED\r\n" * 60),
     (b"".join(b"get k%d\r\n" % i for i in range(60)),
      b"".join(b"VALUE k%d 0 2\r\n%02d\r\nEND\r\n" % (i, i) for i in range(60))),
     (b"get " + b" ".join(b"k%d" % i for i in range(60)) + b"\r\n",
      b"".join(b"VALUE k%d 0 2\r\n%02d\r\n" % (i, i) for i in range(60)) + b"END\r\n"))


@case("text: cas")
def _():
    conn = Conn()
    conn.says(b"flush_all\r\ncas a 0 0 1 1\r\nx\r\n", b"OK\r\nNOT_FOUND\r\n")
    conn.says(b"set a 0 0 1\r\nx\r\n", b"STORED\r\n")
    cas = conn.cas_of(b"a")
    assert cas == conn.cas_of(b"a")
    conn.says(b"cas a 0 0 1 %d\r\ny\r\n" % (int(cas) + 1000000), b"EXISTS\r\n")
    conn.says(b"cas a 0 0 1 " + cas + b"\r\nz\r\n", b"STORED\r\n")
    conn.says(b"cas a 0 0 1 " + cas + b"\r\ny\r\n", b"EXISTS\r\n")
    conn.says(b"cas a 0 0 1 0\r\ny\r\n", b"EXISTS\r\n")
    conn.says(b"cas a 0 0 1 " + conn.cas_of(b"a") + b" noreply\r\nw\r\n", b"")
    assert conn.get(b"a") == b"w"
    conn.says(b"cas a 0 0 1 x\r\n", b"CLIENT_ERROR bad command line format\r\n")
    conn.says(b"gats 0 a\r\n", b"VALUE a 0 1 " + conn.cas_of(b"a") + b"\r\nw\r\nEND\r\n")


@case("text: a bad end of a value is refused, and the old value stays or goes, but is never mixed")
def _():
    conn = Conn()
    conn.says(b"set a 0 0 3\r\nold\r\n", b"STORED\r\n")
    conn.send(b"set a 0 0 3\r\nabcde\r\n")
    assert conn.line() == b"CLIENT_ERROR bad data chunk\r\n"
    conn.close = conn.sock.close()
    assert Conn().get(b"a") in (b"old", None)


@case("text: values of all sizes")
def _():
    conn = Conn()
    for size in (1, 2, 3, 63, 64, 65, 447, 1000, 1447, 1448, 2048, 4096, 8192, 65535, 65536, 300000, 1000000):
        value = bytes((i * 7 + size) & 255 for i in range(1024)) * (size // 1024 + 1)
        conn.says(b"set size%d 0 0 %d\r\n" % (size, size) + value[:size] + b"\r\n", b"STORED\r\n")
        assert conn.get(b"size%d" % size) == value[:size], size


@case("text: requests byte by byte")
def _():
    conn = Conn()
    for byte in b"set slow 0 0 5\r\nhel\r\n\r\nget slow slow\r\ngat 0 slow\r\nincr slow 1\r\n":
        conn.send(bytes((byte,)))
        time.sleep(0.001)
    value = b"VALUE slow 0 5\r\nhel\r\n\r\n"
    answer = b"STORED\r\n" + value * 2 + b"END\r\n" + value + b"END\r\n"
    assert conn.take(len(answer)) == answer
    assert conn.line() == b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"


@case("text: time goes by")
def _():
    conn = Conn()
    conn.says(b"set short 0 1 1\r\nx\r\nset long 0 100 1\r\ny\r\nset unix 0 %d 1\r\nz\r\n" % (int(time.time()) + 100),
              b"STORED\r\n" * 3)
    conn.says(b"set past 0 %d 1\r\nz\r\n" % (int(time.time()) - 100), b"STORED\r\n")
    assert conn.get(b"past") is None
    conn.says(b"set later 0 0 1\r\nw\r\n", b"STORED\r\n")
    end = time.monotonic() + 5
    while conn.get(b"short") is not None:
        assert time.monotonic() < end, "an item outlives its time"
        time.sleep(0.05)
    assert conn.get(b"long") == b"y" and conn.get(b"unix") == b"z"
    conn.says(b"flush_all 1\r\n", b"OK\r\n")
    end = time.monotonic() + 5
    while conn.get(b"later") is not None:
        assert time.monotonic() < end, "a flush that was asked for does not come"
        time.sleep(0.05)
    # What is stored within the same second may still go, with memcached.
    while conn.get(b"after") is None:
        assert time.monotonic() < end, "nothing can be stored after a flush"
        conn.says(b"set after 0 0 1\r\nx\r\n", b"STORED\r\n")
        time.sleep(0.05)


@case("text: ten thousand keys in one get", own=True)
def _():
    conn = Conn()
    keys = [b"many%05d" % i for i in range(10000)]
    conn.send(b"".join(b"set %s 0 0 4 noreply\r\n%04d\r\n" % (key, i % 10000) for i, key in enumerate(keys)))
    answer = b"".join(b"VALUE %s 0 4\r\n%04d\r\n" % (key, i % 10000) for i, key in enumerate(keys)) + b"END\r\n"
    conn.says(b"get " + b" ".join(keys) + b"\r\n", answer)


@case("text: stats")
def _():
    conn = Conn()
    before = conn.stats()
    for name in ("pid", "uptime", "time", "version", "curr_items", "bytes", "limit_maxbytes", "evictions",
                 "cmd_get", "cmd_set", "get_hits", "get_misses", "curr_connections", "total_connections"):
        assert name in before, name
    conn.says(b"set s 0 0 1\r\nx\r\nget s t\r\n", b"STORED\r\nVALUE s 0 1\r\nx\r\nEND\r\n")
    after = conn.stats()
    for name, grown in (("cmd_get", 2), ("cmd_set", 1), ("get_hits", 1), ("get_misses", 1)):
        assert int(after[name]) - int(before[name]) == grown, (name, before[name], after[name])
    conn.says(b"stats reset\r\n", b"RESET\r\n")
    assert conn.stats()["get_hits"] == "0"


@case("text: quit")
def _():
    conn = Conn()
    conn.send(b"quit\r\n")
    assert conn.until_closed() == b""


@case("text: a line without end ends the connection")
def _():
    conn = Conn()
    try:
        conn.send(b"x" * 100000)
    except OSError:
        return
    rest = conn.until_closed()
    assert rest == b"" or b"ERROR" in rest, rest[:100]


@case("text: a peer that leaves in the middle of a value")
def _():
    for _ in range(50):
        conn = Conn()
        conn.send(b"set gone 0 0 1000\r\nabc")
        conn.sock.close()
    assert Conn().get(b"gone") is None


@case("text: a peer that does not read", own=True)
def _():
    conn = Conn()
    value = b"r" * 500000
    conn.says(b"set big 0 0 500000\r\n" + value + b"\r\n", b"STORED\r\n")
    lazy = Conn()
    lazy.send(b"get big\r\n" * 100)
    # Others are served, and the value may change meanwhile without harm to what was begun.
    for i in range(20):
        assert conn.get(b"big") == (value if i == 0 else b"s" * 499999 + b"%d" % (i % 10))
        conn.says(b"set big 0 0 500000\r\n" + b"s" * 499999 + b"%d\r\n" % ((i + 1) % 10), b"STORED\r\n")
    for _ in range(100):
        assert lazy.line() == b"VALUE big 0 500000\r\n"
        got = lazy.take(500000)
        assert got == value or (got[:-1] == b"s" * 499999 and got[-1:].isdigit()), "bytes of two values"
        assert lazy.take(7) == b"\r\nEND\r\n"


# ---- binary

GET, SET, ADD, REPLACE, DELETE, INCR, DECR, QUIT, FLUSH, GETQ, NOOP, VERSION, GETK, GETKQ, APPEND, PREPEND = range(16)
STAT, SETQ, ADDQ, REPLACEQ, DELETEQ, INCRQ, DECRQ, QUITQ, FLUSHQ, APPENDQ, PREPENDQ, VERBOSITY = range(16, 28)
TOUCH, GAT, GATQ, GATK, GATKQ = 0x1c, 0x1d, 0x1e, 0x23, 0x24
OK, NOT_FOUND, EXISTS, TOO_LARGE, INVALID, NOT_STORED, NOT_A_NUMBER, UNKNOWN = 0, 1, 2, 3, 4, 5, 6, 0x81


def packet(opcode, key=b"", value=b"", extras=b"", cas=0, opaque=0, magic=0x80, key_len=None, body_len=None):
    return struct.pack("!BBHBBHIIQ", magic, opcode, len(key) if key_len is None else key_len, len(extras), 0, 0,
                       len(extras) + len(key) + len(value) if body_len is None else body_len, opaque,
                       cas) + extras + key + value


class Answer:
    def __init__(self, conn):
        (magic, self.opcode, key_len, extras_len, data_type, self.status, body_len, self.opaque,
         self.cas) = struct.unpack("!BBHBBHIIQ", conn.take(24))
        assert magic == 0x81 and data_type == 0
        body = conn.take(body_len)
        self.extras = body[:extras_len]
        self.key = body[extras_len:extras_len + key_len]
        self.value = body[extras_len + key_len:]


class Binary(Conn):
    serial = 1000

    def ask(self, opcode, *args, **more):
        """The answer to one request."""
        Binary.serial += 1
        self.send(packet(opcode, *args, opaque=Binary.serial, **more))
        answer = Answer(self)
        assert answer.opcode == opcode and answer.opaque == Binary.serial, (answer.opcode, answer.opaque)
        return answer

    def status(self, *args, **more):
        return self.ask(*args, **more).status

    def silent(self, opcode, *args, **more):
        """No answer: that of the noop behind it comes first."""
        self.send(packet(opcode, *args, **more) + packet(NOOP, opaque=77))
        answer = Answer(self)
        return answer.opcode == NOOP and answer.opaque == 77 and answer.status == OK

    def loud(self, opcode, *args, **more):
        """A quiet request that has something to say after all."""
        self.send(packet(opcode, *args, **more) + packet(NOOP, opaque=77))
        answer = Answer(self)
        assert answer.opcode == opcode, answer.opcode
        assert Answer(self).opcode == NOOP
        return answer


def stored(flags=0, exptime=0):
    return struct.pack("!II", flags, exptime)


def counter(delta, initial=0, exptime=0):
    return struct.pack("!QQI", delta, initial, exptime)


@case("binary: set and get")
def _():
    conn = Binary()
    assert conn.status(FLUSH) == OK
    answer = conn.ask(SET, b"a", b"abc", stored(7))
    assert answer.status == OK and answer.cas and not answer.value and not answer.extras
    got = conn.ask(GET, b"a")
    assert (got.status, got.value, got.key, got.extras, got.cas) == (OK, b"abc", b"", b"\0\0\0\7", answer.cas)
    got = conn.ask(GETK, b"a")
    assert (got.status, got.value, got.key) == (OK, b"abc", b"a")
    got = conn.ask(GET, b"nothing")
    assert (got.status, got.value, got.cas) == (NOT_FOUND, b"Not found", 0)
    got = conn.ask(GETK, b"nothing")
    assert (got.status, got.key) == (NOT_FOUND, b"nothing")


@case("binary: quiet gets")
def _():
    conn = Binary()
    assert conn.silent(GETQ, b"nothing") and conn.silent(GETKQ, b"nothing")
    conn.ask(SET, b"a", b"abc", stored())
    assert conn.loud(GETQ, b"a").value == b"abc"
    assert conn.loud(GETKQ, b"a").key == b"a"


@case("binary: add, replace")
def _():
    conn = Binary()
    conn.ask(FLUSH)
    assert conn.status(REPLACE, b"a", b"1", stored()) == NOT_FOUND
    assert conn.status(ADD, b"a", b"1", stored()) == OK
    assert conn.status(ADD, b"a", b"2", stored()) == EXISTS
    assert conn.status(REPLACE, b"a", b"3", stored()) == OK
    assert conn.ask(GET, b"a").value == b"3"


@case("binary: append, prepend")
def _():
    conn = Binary()
    conn.ask(FLUSH)
    assert conn.status(APPEND, b"a", b"1") == NOT_STORED
    assert conn.status(PREPEND, b"a", b"1") == NOT_STORED
    conn.ask(SET, b"a", b"m", stored(5))
    assert conn.status(APPEND, b"a", b"zz") == OK
    assert conn.status(PREPEND, b"a", b"aa") == OK
    got = conn.ask(GET, b"a")
    assert got.value == b"aamzz" and got.extras == b"\0\0\0\5"


@case("binary: cas")
def _():
    conn = Binary()
    conn.ask(FLUSH)
    assert conn.status(SET, b"a", b"1", stored(), cas=5) == NOT_FOUND
    cas = conn.ask(SET, b"a", b"1", stored()).cas
    assert conn.status(SET, b"a", b"2", stored(), cas=cas + 1000000) == EXISTS
    assert conn.status(SET, b"a", b"2", stored(), cas=cas) == OK
    assert conn.status(DELETE, b"a", cas=cas) == EXISTS
    assert conn.status(DELETE, b"a", cas=conn.ask(GET, b"a").cas) == OK


@case("binary: counters")
def _():
    conn = Binary()
    conn.ask(FLUSH)
    assert conn.status(INCR, b"n", extras=counter(1, 5, 0xffffffff)) == NOT_FOUND
    got = conn.ask(INCR, b"n", extras=counter(1, 5))
    assert (got.status, struct.unpack("!Q", got.value)[0]) == (OK, 5) and got.cas
    assert struct.unpack("!Q", conn.ask(INCR, b"n", extras=counter(10)).value)[0] == 15
    assert struct.unpack("!Q", conn.ask(DECR, b"n", extras=counter(20)).value)[0] == 0
    assert conn.silent(INCRQ, b"n", extras=counter(3)) and conn.silent(DECRQ, b"n", extras=counter(1))
    assert conn.ask(GET, b"n").value.rstrip() == b"2"
    conn.ask(SET, b"s", b"abc", stored())
    assert conn.status(INCR, b"s", extras=counter(1)) == NOT_A_NUMBER


@case("binary: quiet requests say nothing")
def _():
    conn = Binary()
    assert conn.silent(SETQ, b"q", b"5", stored()) and conn.silent(REPLACEQ, b"q", b"6", stored())
    assert conn.silent(APPENDQ, b"q", b"7") and conn.silent(PREPENDQ, b"q", b"5")
    assert conn.ask(GET, b"q").value == b"567"
    assert conn.silent(DELETEQ, b"q") and conn.silent(ADDQ, b"q", b"1", stored())
    assert conn.loud(ADDQ, b"q", b"2", stored()).status == EXISTS
    assert conn.silent(FLUSHQ) and conn.status(GET, b"q") == NOT_FOUND
    assert conn.loud(DELETEQ, b"q").status == NOT_FOUND


@case("binary: touch, get and touch")
def _():
    conn = Binary()
    conn.ask(FLUSH)
    assert conn.status(TOUCH, b"t", extras=b"\0\0\0\0") == NOT_FOUND
    conn.ask(SET, b"t", b"x", stored(3))
    assert conn.status(TOUCH, b"t", extras=b"\0\0\0\x64") == OK
    got = conn.ask(GAT, b"t", extras=b"\0\0\0\x64")
    assert (got.value, got.extras) == (b"x", b"\0\0\0\3")
    got = conn.ask(GATK, b"t", extras=b"\0\0\0\x64")
    assert (got.value, got.key) == (b"x", b"t")
    assert conn.silent(GATQ, b"u", extras=b"\0\0\0\x64")
    assert conn.loud(GATKQ, b"t", extras=b"\0\0\0\x64").key == b"t"


@case("binary: version, noop, verbosity, stat")
def _():
    conn = Binary()
    assert conn.ask(VERSION).value[0:1].isdigit()
    assert conn.status(NOOP) == OK
    conn.send(packet(STAT))
    rows = {}
    while True:
        answer = Answer(conn)
        if not answer.key:
            break
        rows[answer.key] = answer.value
    assert int(rows[b"pid"]) > 0 and b"curr_items" in rows
    assert conn.status(STAT, b"reset") in (OK,)


@case("binary: quit")
def _():
    conn = Binary()
    assert conn.status(QUIT) == OK
    assert conn.until_closed() == b""
    conn = Binary()
    conn.send(packet(QUITQ))
    assert conn.until_closed() == b""


@case("binary: what is malformed")
def _():
    conn = Binary()
    assert conn.status(0x70) == UNKNOWN
    for request in (packet(GET), packet(GET, b"a", b"value"), packet(SET, b"a", b"x"), packet(DELETE, b"a", b"x"),
                    packet(INCR, b"a", extras=b"\0" * 8), packet(NOOP, b"a"), packet(TOUCH, b"a")):
        conn = Binary()
        conn.send(request)
        assert Answer(conn).status == INVALID, request
        assert conn.until_closed() == b"", request
    for request in (packet(GET, b"k" * 251), packet(GET, b"abc", body_len=2), packet(SET, b"a", body_len=3)):
        conn = Binary()
        conn.send(request)
        rest = conn.until_closed()
        assert not rest or struct.unpack("!H", rest[6:8])[0] in (INVALID, UNKNOWN), rest


@case("binary: the body of an unknown command is passed over", own=True)
def _():
    conn = Binary()
    assert conn.status(0x70, b"key", b"value", b"extras") == UNKNOWN
    assert conn.status(NOOP) == OK
    assert conn.status(VERBOSITY, extras=b"\0\0\0\0") == OK


@case("binary: a text line in the middle ends the connection")
def _():
    conn = Binary()
    assert conn.status(NOOP) == OK
    conn.send(b"get some key that is long enough to be a header\r\n")
    conn.until_closed()


@case("binary: a value that is too large")
def _():
    conn = Binary()
    conn.ask(SET, b"a", b"x", stored())
    assert conn.status(SET, b"a", b"v" * 1048577, stored()) == TOO_LARGE
    assert conn.status(GET, b"a") == NOT_FOUND
    assert conn.loud(SETQ, b"a", b"v" * 1048577, stored()).status == TOO_LARGE


@case("binary: values of all sizes, any bytes")
def _():
    conn = Binary()
    for size in (0, 1, 64, 447, 1448, 4096, 65536, 1000000):
        value = bytes((i * 11 + size) & 255 for i in range(1024)) * (size // 1024 + 1)
        assert conn.status(SET, b"size\0%d" % size, value[:size], stored()) == OK
        assert conn.ask(GET, b"size\0%d" % size).value == value[:size]


@case("binary: requests byte by byte")
def _():
    conn = Binary()
    for byte in packet(SET, b"slow", b"value", stored(1)) + packet(GETK, b"slow"):
        conn.send(bytes((byte,)))
        time.sleep(0.001)
    assert Answer(conn).status == OK
    got = Answer(conn)
    assert (got.key, got.value) == (b"slow", b"value")


@case("binary: a pipeline of quiet gets")
def _():
    conn = Binary()
    conn.send(b"".join(packet(SETQ, b"p%d" % i, b"v%d" % i, stored()) for i in range(0, 500, 2)))
    conn.send(b"".join(packet(GETKQ, b"p%d" % i, opaque=i) for i in range(500)) + packet(NOOP, opaque=9999))
    for i in range(0, 500, 2):
        answer = Answer(conn)
        assert (answer.opaque, answer.key, answer.value) == (i, b"p%d" % i, b"v%d" % i)
    assert Answer(conn).opaque == 9999


@case("both protocols see the same items")
def _():
    conn, other = Conn(), Binary()
    other.ask(SET, b"shared", b"binary", stored(9))
    conn.says(b"get shared\r\n", b"VALUE shared 9 6\r\nbinary\r\nEND\r\n")
    conn.says(b"set shared 8 0 4\r\ntext\r\n", b"STORED\r\n")
    got = other.ask(GET, b"shared")
    assert (got.value, got.extras) == (b"text", b"\0\0\0\x08")


@case("random bytes harm nobody")
def _():
    state = 12345
    words = b"get set \r\n\x80\x00\x01 19"
    for round_number in range(40):
        noise = bytearray(b"\x80" if round_number % 2 else b"")
        for _ in range(3000):
            state = (state * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
            noise.append(words[(state >> 33) % len(words)] if round_number % 3 else state >> 40 & 255)
        conn = Conn()
        try:
            conn.send(bytes(noise))
        except OSError:
            pass
        conn.sock.close()
    assert Conn().get(b"certainly not there") is None


def main():
    global WHERE
    is_reference = "--reference" in sys.argv
    host, port = sys.argv[1].rsplit(":", 1)
    WHERE = (host, int(port))
    failed = 0
    for name, is_own, function in CASES:
        if is_own and is_reference:
            continue
        try:
            function()
            print(f"ok {name}", flush=True)
        except (AssertionError, OSError, ValueError, IndexError, KeyError, struct.error) as problem:
            failed += 1
            print(f"not ok {name}: {type(problem).__name__} {problem}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
