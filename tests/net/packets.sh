#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Malformed, hostile and unusual packets from a host that exists only in packets.py, while other connections
# of the kernel's TCP must not notice anything.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/ghost.sh"

SEED=${SEED:-1}

net_pair && ghost_join || exit 1
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
dataplane=$(child_of ixd-default ixd-dataplane)

start hold in_peer k-client "$IX_ADDR:7000" hold --connections 10 --bytes 10 --timeout 250
wait_line hold 'held=10'
in_peer /usr/bin/python3 "$(dirname "$0")/packets.py" "${GHOST[@]}" 7000 "$SEED" $((2 * TIME_SCALE)) |
	tee "$T/log/packets"
if [ "${PIPESTATUS[0]}" != 0 ]; then
	FAILED=$((FAILED + $(grep -c '^not ok' "$T/log/packets")))
	[ "$FAILED" -gt 0 ] || not_ok "packets.py ended early"
fi
PASSED=$((PASSED + $(grep -c '^ok' "$T/log/packets")))
check "other connections did not notice" is_alive hold
check "new ones are served" in_peer k-client "$IX_ADDR:7000" echo --connections 50 --bytes 50000
check "the dataplane is the same process" test "$dataplane" = "$(child_of ixd-default ixd-dataplane)"
check "drops are counted" bash -c "ixctl --json stats | jq -e '[.. | numbers] | add > 0'"
stop hold
stop echo
ixd_stop
