#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memcached's text and binary protocol: the same conversations with ix-kv through ixd, with the same store on the
# kernel's TCP, and with memcached itself (Debian's, if it is installed), which says what the right answers are.
. "$(dirname "$0")/../lib/harness.sh"

CLIENT=$TEST_ROOT/tests/net/kv_client.py

# converse NAME ADDRESS:PORT [OPTION]: one result per case
converse() {
	local name=$1 line status
	shift
	in_peer timeout $((120 * TIME_SCALE)) python3 "$CLIENT" "$@" >"$T/log/conversation" 2>&1
	status=$?
	while read -r line; do
		case $line in
		"ok "*) ok "$name: ${line#ok }" ;;
		"not ok "*) not_ok "$name: ${line#not ok }" ;;
		*) echo "# $line" ;;
		esac
	done <"$T/log/conversation"
	[ $status -le 1 ] || not_ok "$name: the conversation ended with status $status"
}

# adds_up LOG: the statistics that a server prints at its end
adds_up() {
	grep '^{' "$T/log/$1"
	grep '^{' "$T/log/$1" | jq -e '.get_hits + .get_misses == .cmd_get and .malformed > 0 and
		.held_bytes == 0'
}

# value_of NAME LOG: of the JSON that a server prints at its end
value_of() {
	grep '^{' "$T/log/$2" | jq ".$1"
}

net_pair || exit 1
ixd_start || exit 1
serve kv ix-kv -l "$IX_ADDR:11211" --json || exit 1
converse ix-kv "$IX_ADDR:11211"
check "ix-kv lives" is_alive kv
check "no connection is left in use" wait_until 5 bash -c \
	"! in=\$(ixctl --json ss) || ! grep -qi established <<<\"\$in\""
stop kv
check "the statistics at the end are JSON and add up" adds_up kv

# A small memory, many keys: what was used last stays.
serve small ix-kv -l "$IX_ADDR:11212" --memory 8 --json || exit 1
check "a store that is full forgets the oldest" in_peer python3 - "$IX_ADDR" <<'PYTHON'
import socket, sys
sock = socket.create_connection((sys.argv[1], 11212), timeout=60)
value = b"v" * 1000
for first in range(0, 20000, 500):
    sock.sendall(b"".join(b"set key%d 0 0 1000\r\n%s\r\n" % (i, value) for i in range(first, first + 500)))
    left = 8 * 500
    while left:
        left -= len(sock.recv(left))
def has(key):
    sock.sendall(b"get %s\r\n" % key)
    answer = b""
    while not answer.endswith(b"END\r\n"):
        answer += sock.recv(4096)
    return len(answer) > 1000
assert has(b"key19999") and has(b"key19000") and not has(b"key0") and not has(b"key5000")
PYTHON
stop small
check "evictions are counted" test "$(value_of evictions small)" -gt 1000
ixd_stop

peer_serve kkv k-kv -l "$PEER_ADDR:11211" --timeout 200 &&
	converse k-kv "$PEER_ADDR:11211"
stop kkv

# Where io_uring is not to be had, the program says so.
start uringkv in_peer k-uring-kv -l "$PEER_ADDR:11213" --json --timeout 200
if wait_line uringkv 'listening on' >/dev/null; then
	converse k-uring-kv "$PEER_ADDR:11213"
	stop uringkv
	check "k-uring-kv: the statistics at the end are JSON and add up" adds_up uringkv
else
	skip "k-uring-kv" "$(tail -n 1 "$T/log/uringkv")"
	stop uringkv
fi

if ! command -v memcached >/dev/null; then
	skip "memcached" "not installed"
else
	start memcached in_peer memcached -u nobody -l "$PEER_ADDR" -p 11212 -m 64
	if check "memcached listens" wait_until 10 in_peer bash -c "exec 3<>/dev/tcp/$PEER_ADDR/11212"; then
		converse memcached "$PEER_ADDR:11212" --reference
	fi
	stop memcached
fi
