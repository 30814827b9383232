# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What ixd's TCP says of itself. Sourced after harness.sh.

# counter NAME: of the TCP engine, over all cores.
counter() {
	ixctl --json stats | jq --arg name "$1" '[.. | objects | select(.name? == $name and .group? == "tcp") | .value] | add'
}

# ecn_is PORT "ECN ACCURATE": of the connection that is held there.
ecn_is() {
	[ "$(ixctl --json ss | jq -r "[.. | objects | select(.local_port? == $1 or .remote_port? == $1)][0] |
		\"\(.ecn) \(.accurate_ecn)\"")" = "$2" ]
}

# ecn_in_both_roles WORDS "ECN ACCURATE": the kernel's client at port 7000, where ixd echoes, and ixd's at a server of
# the kernel's
ecn_in_both_roles() {
	start hold in_peer k-client "$IX_ADDR:7000" hold --connections 1 --bytes 10 --timeout 60
	wait_line hold 'held=1'
	check "the kernel opens, $1" ecn_is 7000 "$2"
	stop hold
	peer_serve sink k-echo -l "$PEER_ADDR:7200" --timeout 60
	start cat client ix-cat -k "$PEER_ADDR:7200"
	check "ixd opens, $1" wait_until 10 ecn_is 7200 "$2"
	stop cat
	stop sink
}
