#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make check-nic itself, on a veth: with the peer in a network namespace, and behind ssh, which here is a script that
# runs its command in that namespace. Copy mode is all that a veth has; the cases are those of every NIC.
. "$(dirname "$0")/../lib/harness.sh"

results=$(mktemp)
far=$(mktemp -d)
trap 'rm -rf "$results" "$far"; finish' EXIT
net_pair 2 2 || exit 1
exec 8<"/run/netns/$NS_PEER"
cat >"$far/ssh" <<'SSH'
#!/bin/sh
[ "$1" = operator@far ] || exit 255
shift
exec nsenter --net=/proc/self/fd/8 sh -c "$*"
SSH
chmod 0755 "$far" "$far/ssh"

# check_nic PEER CASES: as from a shell in ixd's namespace, whose /sys shows its interfaces
check_nic() {
	in_ix env -u IXD_TEST_INSIDE IXD_BUILD="$IXD_BUILD" RESULTS="$results" NIC_ADDR=10.99.0.1 PEER_ADDR=10.99.0.2 \
		SSH="$far/ssh" PEER_IF="${FAR_IF-p0}" LINK_S=2 CASES="$2" unshare --mount \
		sh -c 'mount -t sysfs sysfs /sys && exec "$@"' sh "$TEST_ROOT/tests/nic/check" "${IF-ix0}" "$1" >"$T/log/nic" 2>&1
}

# refused PEER: with its words for check_says
refused() {
	local rc
	check_nic "$1" copy
	rc=$?
	cat "$T/log/nic"
	return $rc
}

# all_passed CHECKS ROWS: so many at least, and rows in the table of results, none of them a failure
all_passed() {
	cat "$T/log/nic"
	echo "$(grep -c '^ok ' "$T/log/nic") passed"
	cat "$results"
	[ "$(grep -c '^ok ' "$T/log/nic")" -ge "$1" ] && ! grep -q '^not ok ' "$T/log/nic" &&
		[ "$(wc -l <"$results")" = "$2" ] && ! grep -q FAILED "$results"
}

set_back() {
	! in_ix ip -o addr show dev ix0 | grep -F 10.99.0. && ! in_peer ip -o addr show dev p0 | grep -F 10.99.0. &&
		in_ix ip -o link show dev ix0 | grep -E 'mtu 1500 ' && ! in_ix ip -o link show dev ix0 | grep xdp
}

check "a peer in a network namespace" check_nic netns:peer best,copy,faults
check "netns: all of its checks pass, and stand in the table" all_passed 40 3
check "netns: addresses and MTU are as before" set_back
check "a peer behind ssh" check_nic ssh:operator@far copy,faults
check "ssh: all of its checks pass, and stand in the table" all_passed 25 2
check "ssh: addresses and MTU are as before" set_back
check "ssh: nothing is left there" not ls -d /tmp/check-nic.*

IF="" check_says "no interface named: how to call it" 'check-nic: say make check-nic IF=' refused netns:peer
check_says "no peer named: how to call it" 'check-nic: say make check-nic IF=' refused ""
IF=nic9 check_says "no such interface" 'there is no interface nic9' refused netns:peer
check_says "no such second interface" 'there is no interface nic9' refused nic9
in_ix ip link add second type veth peer name third
in_ix ip addr add 10.99.7.1/24 dev second
check_says "the second interface has an address" 'second has addresses.* 10\.99\.7\.1/24; take them' refused second
check_says "the interface as its own peer" 'IF and PEER are both ix0' refused ix0
check_says "no such namespace" 'there is no network namespace nowhere' refused netns:nowhere
FAR_IF="" check_says "the peer's interface is not named" 'PEER_IF must name' refused netns:peer
FAR_IF=nic9 check_says "the peer has no such interface" 'the peer has no interface nic9' refused netns:peer
FAR_IF=nic9 check_says "nor has the one behind ssh" 'the peer has no interface nic9' refused ssh:operator@far
check_says "no way to the peer" 'no way to operator@nowhere' refused ssh:operator@nowhere
in_peer ip link add other0 type veth peer name other1
in_peer ip link set other1 up
FAR_IF=other0 check_says "a peer that is not joined to it" '10.99.0.2 at netns:peer does not reach 10.99.0.1 on ix0' \
	refused netns:peer
in_peer ip link del other0
check_says "without root" 'check-nic: needs root' setpriv --reuid="$CLIENT_ID" --regid="$CLIENT_ID" --clear-groups \
	env -u IXD_TEST_INSIDE bash "$TEST_ROOT/tests/nic/check" ix0 p0
check "after all these: addresses and MTU are as before" set_back
check "after all these: nothing is left" not ls -d /tmp/check-nic.*
