#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A Varlink client that knows nothing of ixd: it learns the interface from the server and holds it to its word.

    varlink_client.py SOCKET call METHOD [PARAMETERS] [--more]   prints one JSON object per reply
    varlink_client.py SOCKET check                               calls every method without parameters that are
                                                                 required and compares the reply with the types
                                                                 of the interface's description
    varlink_client.py SOCKET hostile                             what must not harm anybody
"""
import json
import re
import socket
import sys
import time

TIMEOUT_S = 20


class VarlinkError(Exception):
    """An error reply: args are its name and its parameters."""


def connect(path):
    """A connected socket. It waits while the server's backlog is full; only then do time limits begin."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    sock.settimeout(TIMEOUT_S)
    return sock


class Connection:
    """One connection; calls and replies are JSON objects that end with a zero byte."""

    def __init__(self, path):
        self.sock = connect(path)
        self.pending = b""

    def close(self):
        self.sock.close()

    def send(self, method, parameters=None, more=False):
        call = {"method": method, "parameters": parameters or {}}
        if more:
            call["more"] = True
        self.sock.sendall(json.dumps(call).encode() + b"\0")

    def flood(self, method, calls):
        """Calls without taking an answer, until the server takes no more of them or ends the connection."""
        self.sock.settimeout(0)
        try:
            for _ in range(calls):
                self.send(method)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass

    def receive(self):
        """The next reply as a whole object; EOFError when the server has closed."""
        while b"\0" not in self.pending:
            piece = self.sock.recv(65536)
            if not piece:
                raise EOFError("closed by the server")
            self.pending += piece
        text, self.pending = self.pending.split(b"\0", 1)
        return json.loads(text)

    def replies(self, method, parameters=None, more=False):
        self.send(method, parameters, more)
        while True:
            reply = self.receive()
            if "error" in reply:
                raise VarlinkError(reply["error"], reply.get("parameters", {}))
            yield reply.get("parameters", {})
            if not reply.get("continues"):
                return

    def call(self, method, parameters=None):
        return list(self.replies(method, parameters))[0]


class Interface:
    """A parsed interface description."""

    TOKEN = re.compile(r"#[^\n]*|->|\[\]|\[string\]|[A-Za-z][A-Za-z0-9_.]*|[?():,]")

    def __init__(self, text):
        self.tokens = [t for t in self.TOKEN.findall(text) if not t.startswith("#")]
        self.types, self.methods, self.errors = {}, {}, {}
        self.expect("interface")
        self.name = self.next()
        while self.tokens:
            kind, name = self.next(), self.next()
            if kind == "type":
                self.types[name] = self.structure()
            elif kind == "error":
                self.errors[name] = self.structure()
            elif kind == "method":
                given = self.structure()
                self.expect("->")
                self.methods[name] = (given, self.structure())
            else:
                raise ValueError(f"unexpected {kind}")

    def next(self):
        return self.tokens.pop(0)

    def expect(self, token):
        got = self.next()
        if got != token:
            raise ValueError(f"{token} expected, not {got}")

    def structure(self):
        """("struct", {name: type}) or ("enum", [names])"""
        self.expect("(")
        members, is_enum = {}, False
        while self.tokens[0] != ")":
            name = self.next()
            if self.tokens[0] == ":":
                self.next()
                members[name] = self.type()
            else:
                is_enum = True
                members[name] = None
            if self.tokens[0] == ",":
                self.next()
        self.next()
        return ("enum", list(members)) if is_enum else ("struct", members)

    def type(self):
        token = self.tokens[0]
        if token == "?":
            self.next()
            return ("maybe", self.type())
        if token == "[]":
            self.next()
            return ("array", self.type())
        if token == "[string]":
            self.next()
            return ("map", self.type())
        if token == "(":
            return self.structure()
        return ("name", self.next())

    def check(self, value, kind, where):
        """Raises ValueError when value is not of the type."""
        what, detail = kind
        if what == "maybe":
            if value is not None:
                self.check(value, detail, where)
        elif what == "array":
            self.check_is(isinstance(value, list), where, "an array")
            for i, item in enumerate(value):
                self.check(item, detail, f"{where}[{i}]")
        elif what == "map":
            self.check_is(isinstance(value, dict), where, "a map")
            for key, item in value.items():
                self.check(item, detail, f"{where}.{key}")
        elif what == "enum":
            self.check_is(value in detail, where, f"one of {detail}")
        elif what == "struct":
            self.check_struct(value, detail, where)
        elif detail in self.types:
            self.check(value, self.types[detail], where)
        else:
            self.check_plain(value, detail, where)

    def check_struct(self, value, members, where):
        self.check_is(isinstance(value, dict), where, "an object")
        for name in value:
            self.check_is(name in members, f"{where}.{name}", "declared")
        for name, kind in members.items():
            self.check_is(name in value or kind[0] == "maybe", f"{where}.{name}", "present")
            self.check(value.get(name), kind, f"{where}.{name}")

    def check_plain(self, value, name, where):
        plain = {"int": int, "string": str, "bool": bool, "float": float}[name]
        is_right = isinstance(value, plain) and (plain is bool or not isinstance(value, bool))
        self.check_is(is_right, where, name)

    @staticmethod
    def check_is(condition, where, what):
        if not condition:
            raise ValueError(f"{where} is not {what}")


def describe(connection, name):
    reply = connection.call("org.varlink.service.GetInterfaceDescription", {"interface": name})
    return Interface(reply["description"])


def check(path):
    """Every method but Reconfigure (which changes things) answers as its description says."""
    connection = Connection(path)
    info = connection.call("org.varlink.service.GetInfo")
    for name in info["interfaces"]:
        interface = describe(connection, name)
        for method, (given, returned) in interface.methods.items():
            required = [n for n, kind in given[1].items() if kind[0] != "maybe"]
            if required or method == "Reconfigure":
                continue
            for reply in connection.replies(f"{name}.{method}", more=True):
                interface.check(reply, returned, method)
            print(f"{name}.{method} answers as described")


def refused(connection, method, parameters, error):
    try:
        list(connection.replies(method, parameters))
    except VarlinkError as refusal:
        if refusal.args[0] == error:
            return
        raise
    raise ValueError(f"{method} {parameters} was taken")


def admitted(path):
    """A connection that is served. The server may yet have to see that others have left."""
    end = time.monotonic() + TIMEOUT_S
    while True:
        connection = Connection(path)
        try:
            connection.call("io.ixd.Status")
            return connection
        except (VarlinkError, BrokenPipeError, ConnectionResetError, EOFError) as refusal:
            connection.close()
            is_full = not isinstance(refusal, VarlinkError) or "TooManyConnections" in refusal.args[0]
            if not is_full or time.monotonic() > end:
                raise
        time.sleep(0.02)


def closes(path, data):
    """The server ends a connection that sends this."""
    sock = connect(path)
    try:
        sock.sendall(data)
        while sock.recv(65536):
            pass
    except (BrokenPipeError, ConnectionResetError):
        pass
    sock.close()


def hostile(path):
    connection = Connection(path)
    refused(connection, "io.ixd.Sockets", {"local_port": -1}, "org.varlink.service.InvalidParameter")
    refused(connection, "io.ixd.Sockets", {"state": "x" * 8000}, "org.varlink.service.InvalidParameter")
    refused(connection, "io.ixd.Status", {"x": None}, "org.varlink.service.InvalidParameter")
    refused(connection, "io.ixd.Missing", {}, "org.varlink.service.MethodNotFound")
    refused(connection, "org.example.Missing", {}, "org.varlink.service.InterfaceNotFound")
    for data in (b"\0", b"x\0", b"[" * 16000 + b"\0", b" " * 20000, b"\xff\xfe\0", b'{"method":1}\0',
                 b'{"method":"io.ixd.Sockets","parameters":{"core":1' + b"0" * 40 + b"}}\0",
                 b'{"method":"io.ixd.Sockets","parameters":{"core":1e999}}\0', b"GET / HTTP/1.1\r\n\r\n\0"):
        closes(path, data)
    idle = []
    for _ in range(200):
        sock = connect(path)
        try:
            sock.sendall(b'{"meth')
        except OSError:
            pass  # turned away already
        idle.append(sock)
    # One of those who were turned away was told why.
    told = idle[-1].recv(65536)
    if b"TooManyConnections" not in told:
        raise ValueError(f"the last of 200 connections was told {told!r}")
    # Who was there before is served all the same.
    connection.call("io.ixd.Status")
    for sock in idle:
        sock.close()
    connection.flood("io.ixd.Stats", 100)
    connection.close()
    # Answers that nobody takes: others do not wait for them.
    greedy = admitted(path)
    greedy.flood("org.varlink.service.GetInfo", 150)
    admitted(path).close()
    greedy.close()


def main():
    path, what = sys.argv[1], sys.argv[2]
    if what == "check":
        check(path)
    elif what == "hostile":
        hostile(path)
    else:
        arguments = [a for a in sys.argv[3:] if a != "--more"]
        parameters = json.loads(arguments[1]) if len(arguments) > 1 else {}
        for reply in Connection(path).replies(arguments[0], parameters, "--more" in sys.argv):
            print(json.dumps(reply, sort_keys=True))


if __name__ == "__main__":
    try:
        main()
    except (VarlinkError, ValueError, OSError, EOFError) as failure:
        print(f"varlink_client: {type(failure).__name__}: {' '.join(map(str, failure.args))}", file=sys.stderr)
        sys.exit(1)
