#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Hostile clients (tests/hostile/*.c): each breaks one rule of the rings on purpose. ixd may throw it out; the
# client beside it must go on being served, by the same dataplane process, and nothing may be left of it.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
peer_serve far k-echo -l "$PEER_ADDR:7200" --timeout 280
dataplane=$(child_of ixd-default ixd-dataplane)
start hold in_peer k-client "$IX_ADDR:7000" hold --connections 10 --bytes 10 --timeout 280
wait_line hold 'held=10'

found=0
for program in "$IXD_BUILD"/tests/hostile/*; do
	case $program in
	*.d | *.o | *\*) continue ;;
	esac
	found=1
	name=$(basename "$program")
	rm -f "$T/log/$name"
	start "$name" client env IXD_INSTANCE=default IX_ADDR="$IX_ADDR" PEER_ADDR="$PEER_ADDR" "$T/bin/$name"
	# Beside it, the others work.
	check "$name: others are served meanwhile" \
		in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 20000 --timeout 30
	wait_end "$name" 30
	rc=$?
	case $rc in
	0 | 77) ok "$name: ends as it should" ;;
	124)
		# It may live for ever as long as it harms nobody; dying is another moment to survive.
		stop "$name" KILL
		ok "$name: was harmless until killed"
		;;
	*)
		not_ok "$name: exit $rc"
		log_show "$name"
		;;
	esac
	check "$name: the dataplane is the same process" \
		test "$dataplane" = "$(child_of ixd-default ixd-dataplane)"
	dataplane=$(child_of ixd-default ixd-dataplane)
done
[ $found = 1 ] || skip hostile "no program in $IXD_BUILD/tests/hostile"
check "nothing of them is left" wait_until 10 bash -c \
	"[ \"\$(ixctl --json clients | jq '[.. | objects | select(has(\"pid\"))] | length')\" = 1 ]"
check "the connections of the other client are still there" is_alive hold
stop hold
stop far
stop echo
ixd_stop
