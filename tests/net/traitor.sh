#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A dataplane and a control process that somebody has taken over: the supervisor lives on, gives them no right
# that they have not got, and with the real ones in their places again all is well.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
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
