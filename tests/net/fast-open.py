#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's side of TCP Fast Open: `client ADDRESS PORT TEXT` sends TEXT with the SYN if it may and prints
the answer; `server ADDRESS PORT` echoes, one connection after the other."""
import socket
import sys

MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN = 23

address = (sys.argv[2], int(sys.argv[3]))
s = socket.socket()
if sys.argv[1] == "client":
    s.sendto(sys.argv[4].encode(), MSG_FASTOPEN, address)
    s.settimeout(30)
    s.shutdown(socket.SHUT_WR)
    answer = b""
    while part := s.recv(65536):
        answer += part
    print(answer.decode())
else:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address)
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    s.listen()
    print(f"listening on {sys.argv[2]}:{sys.argv[3]}", flush=True)
    while True:
        c, _ = s.accept()
        while part := c.recv(65536):
            c.sendall(part)
        c.close()
