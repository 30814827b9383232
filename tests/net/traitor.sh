#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A dataplane and a control process that somebody has taken over: the supervisor lives on, gives them no right
# that they have not got, and with the real ones in their places again all is well.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
# The other end takes frames without skbs, so that there is XDP transmit. Another link, which is not ixd's: of
# the kernel's own, nothing is sent there.
in_peer ethtool -K p0 gro on
ip netns add third
ip -n ix link add other0 type veth peer name other1 netns third
for place in ix/other0 third/other1; do
	ip netns exec "${place%/*}" sysctl -qw "net.ipv6.conf.${place#*/}.disable_ipv6=1"
	[ "$place" = ix/other0 ] || ip netns exec third ethtool -K other1 gro on
	ip -n "${place%/*}" link set "${place#*/}" up
done
received_by() {
	ip -n "$1" -j -s link show dev "$2" | jq '.[0].stats64.rx.packets'
}
udp_seen() {
	# shellcheck disable=SC2016 # awk's own
	in_ix awk '/^Udp: [0-9]/ { print $2 + $3 + $4 }' /proc/net/snmp
}
other_before=$(received_by third other1) peer_before=$(received_by peer p0) udp_before=$(udp_seen)
# Which ports they may hold says the policy of the clients that are there.
POLICY="policy = ( { user = \"$CLIENT_ID\"; listen = ( \"*:7000-7149\" ); connect = ( \"*:*\" ); } );" ixd_conf default
ixd_start || exit 1
supervisor=${PIDS[ixd-default]}

# become NAME FILE: the process NAME is FILE from its next start on. The one that runs keeps its file.
become() {
	cp "$2" "$T/libexec/$1.new" && mv "$T/libexec/$1.new" "$T/libexec/$1"
}
cp "$T/libexec/ixd-dataplane" "$T/libexec/ixd-control" "$T/bin/"

# A client that is there while it happens, and one that comes.
serve first ix-echo -l "$IX_ADDR:7000" || exit 1
become ixd-dataplane "$T/bin/traitor"
kill -KILL "$(child_of ixd-default ixd-dataplane)"
wait_line ixd-default 'traitor: dataplane' 10
start second client env IXD_INSTANCE=default ix-echo -l "$IX_ADDR:7001"
seen() {
	[ "$(grep -c 'traitor: dataplane' "$T/log/ixd-default")" -ge 4 ]
}
check "the supervisor starts it again and again" wait_until 60 seen
check "the supervisor is the same process" kill -0 "$supervisor"
if grep -q 'traitor: transmit' "$T/log/ixd-default"; then
	check "it could run the transmit program" grep -Eq 'traitor: transmit: [1-9][0-9]+ runs' "$T/log/ixd-default"
	check "and send through the instance's interface" test "$(received_by peer p0)" -gt "$peer_before"
	check "and through no other" test "$(received_by third other1)" = "$other_before"
	check "and pass nothing to the kernel" test "$(udp_seen)" = "$udp_before"
	check "and have no map by its number" not grep -q 'traitor: has a map' "$T/log/ixd-default"
else
	skip "the transmit program" "$(grep -m 1 'no XDP transmit' "$T/log/ixd-default")"
fi
check "it holds no port beyond the policy of its clients" \
	bash -c "! in_ix ss -Htanl | awk '{ sub(/.*:/, \"\", \$4); if (\$4 < 7000 || \$4 > 7149) exit 1 }'; true"
stop second KILL
stop first KILL

become ixd-dataplane "$T/bin/ixd-dataplane"
kill -KILL "$(child_of ixd-default ixd-dataplane)" 2>/dev/null
check "with the real one clients are served again" bash -c "for i in \$(seq 30); do
	timeout 10 nsenter --net=/run/netns/ix setpriv --reuid=$CLIENT_ID --regid=$CLIENT_ID --clear-groups \
		ix-cat -N $PEER_ADDR:1 </dev/null 2>&1 | grep -q refused && exit 0; sleep 0.5; done; exit 1"
check "a listener" serve third ix-echo -l "$IX_ADDR:7002"
check "and its service" in_peer k-client "$IX_ADDR:7002" echo --connections 10 --bytes 10000

# A change of the file that must not be taken over.
sed -i 's/^cores/batch = 32;\ncores/' "$T/default.conf"
become ixd-control "$T/bin/traitor"
kill -KILL "$(child_of ixd-default ixd-control)"
wait_line ixd-default 'as itself: outcome' 20
for what in 'the socketpair' 'the listener' 'a memory' 'itself'; do
	check "control may not ask as $what" grep -q "traitor: as $what: outcome -13" "$T/log/ixd-default"
done
check "nothing was reconfigured" not grep -q 'reconfigure: done' "$T/log/ixd-default"
wait_until 20 grep -q 'control.*says what is not\|control.*malformed\|control.*closed its socket' "$T/log/ixd-default"
become ixd-control "$T/bin/ixd-control"
check "with the real one ixctl works again" wait_until 30 ixctl status
check "the log was not flooded" test "$(wc -l <"$T/log/ixd-default")" -lt 2000
check "clients did not notice" in_peer k-client "$IX_ADDR:7002" echo --connections 10 --bytes 10000
check "no sanitiser spoke" not grep -E 'AddressSanitizer|runtime error' "$T/log/ixd-default"
stop third
ixd_stop
