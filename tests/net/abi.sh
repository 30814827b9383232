#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients whose first message is wrong: another ABI version, another size, limits that nobody may have. Each is
# refused with a reason or cut off, gets no descriptor, and costs the others nothing.
. "$(dirname "$0")/../lib/harness.sh"

hello() {
	client timeout $((10 * TIME_SCALE)) /usr/bin/python3 "$TEST_ROOT/tests/net/hello.py" \
		/run/ixd/default/client.sock "$1"
}

refused() {
	local said
	said=$(hello "$1") || return 1
	echo "$said"
	[ "$said" = closed ] || [[ $said =~ ^status\ -[0-9]+\ descriptors\ 0\ reason\ ..* ]]
}

says() {
	hello "$1" | tee /dev/stderr | grep -Eq -- "$2"
}

net_pair || exit 1
EXTRA='hello_timeout_ms = 1000;' ixd_conf default
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
check "a right hello is welcome" says good '^status 0 descriptors [3-9]'
check "another ABI version is refused with both versions named" says version '^status -[0-9]+ .*version.*'
for case in version-0 magic short one-byte long huge reserved rx-overflow slots-odd slots-huge; do
	check "refused: $case" refused $case
done
check "more memory than the policy gives is refused with the limit named" says rx-too-much '^status -[0-9]+ .*[0-9]'
check "the same for memory to send" says tx-too-much '^status -[0-9]+ .*[0-9]'
check "who says nothing is cut off" refused silent
crowd() {
	local i pids=()
	for i in $(seq 40); do
		hello silent >/dev/null &
		pids+=($!)
	done
	hello good | grep -q '^status 0' || return 1
	wait "${pids[@]}"
	[ -n "$i" ]
}
check "40 who say nothing keep nobody out" crowd
check "the others did not notice" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 10000
stop echo
ixd_stop
