#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# TCP Fast Open against the kernel, both roles: cookies, data in the SYN, and that it stays off unless allowed.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/engine.sh"

kernel_client() {
	in_peer timeout $((30 * TIME_SCALE)) /usr/bin/python3 "$TEST_ROOT/tests/net/fast-open.py" client "$IX_ADDR" "$@"
}

counter_is() {
	[ "$(counter "$1")" = "$2" ]
}

# answers PORT TEXT: the kernel's client gets its text back.
answers() {
	[ "$(kernel_client "$1" "$2")" = "$2" ]
}

# sends PORT TEXT: ixd's client gets its text back from the kernel.
sends() {
	[ "$(printf %s "$2" | client timeout $((30 * TIME_SCALE)) ix-cat -F "$PEER_ADDR:$1")" = "$2" ]
}

net_pair || exit 1
in_peer sysctl -qw net.ipv4.tcp_fastopen=3 || skip_all "this kernel has no TCP Fast Open"
EXTRA='tcp = { fast_open = true; };' ixd_conf default
ixd_start || exit 1
serve echo ix-echo -F -l "$IX_ADDR:7000" || exit 1
serve plain ix-echo -l "$IX_ADDR:7001" || exit 1
check "the first connection of the kernel asks for a cookie" answers 7000 first
check "and has got one" counter_is fast_open_cookies_out 1
check "the second sends its data with the SYN" answers 7000 second
check "and ixd has taken it" counter_is fast_open_in 1
check "a listener that did not ask takes none" answers 7001 third
check "and none was taken" counter_is fast_open_in 1

peer_serve kernel /usr/bin/python3 "$TEST_ROOT/tests/net/fast-open.py" server "$PEER_ADDR" 7200
check "the first connection of ixd asks for a cookie" sends 7200 first
check "and sent no data with it" counter_is fast_open_out 0
check "the second sends its data with the SYN" sends 7200 second
check "one SYN had data" counter_is fast_open_out 1
check "and the kernel has taken it" counter_is fast_open_fallbacks 0
check "the kernel says so, too" bash -c "ip netns exec peer cat /proc/net/netstat | awk '
	/^TcpExt/ && !n { for (i = 1; i <= NF; i++) if (\$i == \"TCPFastOpenPassive\") n = i; next }
	/^TcpExt/ { exit \$n == 1 ? 0 : 1 }'"
in_peer sysctl -qw net.ipv4.tcp_fastopen=1
check "a server that takes data no more still answers" sends 7200 third
check "the data went as in any connection" counter_is fast_open_fallbacks 1
in_peer sysctl -qw net.ipv4.tcp_fastopen=3

EXTRA='' ixd_conf default
check "switched off" ixctl reconfigure
check "the kernel's data is not taken any more" answers 7000 fourth
check "nor sent" sends 7200 fourth
check "as counted" counter_is fast_open_in 1
stop kernel
stop plain
stop echo
ixd_stop
