#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The relay between ixd and the kernel: each impairment once, one seed, both directions of data and both roles,
# every byte checked. `make interop` is the long form with goodput.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/relay.sh"

SEED=${SEED:-1}

# cell NAME BYTES CC ROLE RELAY_OPTIONS...
cell() {
	local name=$1 bytes=$2 cc=$3 role=$4
	shift 4
	relay_start "$SEED" "$@" || return 1
	CC=$cc TRANSFER_LIMIT_S=60 check "$name, $role, peer's $cc: $bytes bytes" \
		transfer ixd "$role" "$bytes"
	relay_stop
}

# happened COUNTER: the relay did it, or the cell has shown nothing
happened() {
	check "the relay has counted $1" test $(($(relay_count first "$1") + $(relay_count second "$1"))) -gt 0
}

relay_net || exit 1
relay_start "$SEED" || exit 1
ixd_start || exit 1
relay_stop

cell "clean" 32M cubic listen-send
cell "clean" 32M bbr connect-receive
cell "1 % loss" 2M cubic listen-send --rate 100 --delay 1 --loss 1
cell "1 % loss" 2M cubic connect-receive --rate 100 --delay 1 --loss 1
happened lost
cell "5 % loss" 500K reno connect-send --rate 100 --delay 1 --loss 5
cell "5 % loss" 500K bbr listen-receive --rate 100 --delay 1 --loss 5
cell "bursts of loss" 1M cubic connect-send --rate 100 --delay 1 --burst 1:4
cell "bursts of loss" 1M reno listen-receive --rate 100 --delay 1 --burst 1:4
happened burst
cell "reordering" 4M cubic listen-send --rate 100 --delay 2 --reorder 2:3
cell "reordering" 4M bbr connect-receive --rate 100 --delay 2 --reorder 2:3
happened late
cell "duplication" 4M cubic connect-send --rate 100 --delay 1 --duplicate 5
cell "duplication" 4M reno listen-receive --rate 100 --delay 1 --duplicate 5
happened duplicated
cell "corruption" 1M cubic listen-send --rate 100 --delay 1 --corrupt 1
cell "corruption" 1M bbr connect-receive --rate 100 --delay 1 --corrupt 1
happened corrupted
cell "50 ms and jitter" 4M cubic connect-send --rate 100 --delay 25 --jitter 2
cell "50 ms and jitter" 4M reno listen-receive --rate 100 --delay 25 --jitter 2
cell "a short queue" 4M cubic listen-send --rate 50 --delay 2 --queue 20000
happened queue_full
RELAY_PCAP=$T/relay.pcapng cell "everything at once" 500K cubic connect-receive --rate 50 --delay 3 --jitter 1 --loss 1 \
	--burst 0.1:4 --reorder 1:3 --duplicate 1 --corrupt 0.5 --queue 60000
check "the capture has two interfaces and a verdict" bash -c "
	grep -aq w0 $T/relay.pcapng && grep -aq w1 $T/relay.pcapng && grep -aq 'lost' $T/relay.pcapng"
ixd_stop
