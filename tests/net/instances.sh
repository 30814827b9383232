#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two instances at once on two interfaces of one network namespace; a second one on the same interface, or of
# the same name, is refused in words.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
net_link ix1 p1 10.78.0.1 10.78.0.2 1 || exit 1
IFACE=ix0 EXTRA='ephemeral_first = 61000; ephemeral_last = 62999;' ixd_conf one
IFACE=ix1 EXTRA='ephemeral_first = 63000; ephemeral_last = 64999;' ixd_conf two
ixd_start one || exit 1
ixd_start two || exit 1
INSTANCE=one serve echo1 ix-echo -l 10.77.0.1:7000
INSTANCE=two serve echo2 ix-echo -l 10.78.0.1:7000
check "the first serves" in_peer k-client 10.77.0.1:7000 echo --connections 50 --bytes 100000
check "the second serves" in_peer k-client 10.78.0.1:7000 echo --connections 50 --bytes 100000
both() {
	local first
	in_peer k-client 10.77.0.1:7000 echo --connections 20 --bytes 1M &
	first=$!
	in_peer k-client 10.78.0.1:7000 echo --connections 20 --bytes 1M && wait $first
}
check "both at once" both

IFACE=ix0 EXTRA='ephemeral_first = 65000; ephemeral_last = 65535;' ixd_conf three
check_says "a second instance on the same interface is refused" 'ix0' timeout 20 nsenter --net=/run/netns/ix \
	"$T/bin/ixd" -i three -c "$T/three.conf"
check_says "a second instance of the same name is refused" 'one' timeout 20 nsenter --net=/run/netns/ix \
	"$T/bin/ixd" -i one -c "$T/one.conf"
check "the refused left nothing" test ! -e /run/ixd/three/client.sock -a ! -e /sys/fs/bpf/ixd/three
check "the first still serves" in_peer k-client 10.77.0.1:7000 echo --bytes 100000
stop echo1
ixd_stop one ix0
check "the second does not notice that the first left" \
	in_peer k-client 10.78.0.1:7000 echo --connections 50 --bytes 100000
stop echo2
ixd_stop two ix1
