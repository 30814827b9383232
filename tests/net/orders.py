# SPDX-License-Identifier: BSD-2-Clause
"""orders.py ADDRESS PORT: ix-orders on the kernel's TCP. `s` sends four bytes, `f` ends the sending direction,
`c` closes, `r` resets; every other byte is taken and forgotten."""

import select
import socket
import struct
import sys


def obey(connection, order):
    """False when the connection is over."""
    if order == ord("s"):
        connection.send(b"data")
    elif order == ord("f"):
        connection.shutdown(socket.SHUT_WR)
    elif order in b"cr":
        if order == ord("r"):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    return True


def main():
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=1000)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    connections = {}
    print("listening on %s:%s" % (sys.argv[1], sys.argv[2]), flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                connection = listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
                connections[connection.fileno()] = connection
                poll.register(connection, select.POLLIN)
                continue
            connection = connections[fd]
            try:
                data = connection.recv(4096)
                lives = all([obey(connection, order) for order in data])
            except OSError:
                data, lives = b"", False
            if not data or not lives:
                poll.unregister(fd)
            if not lives:
                connections.pop(fd).close()


main()
