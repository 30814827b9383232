#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Where apt reaches nobody there is no kernel to boot: that is no failure, and the reason is told.
. "$(dirname "$0")/../lib/harness.sh"

ip netns add nowhere
ip -n nowhere link set lo up
# A refusal comes at once, and no name has to be found out.
printf '%s\n' 'Acquire::Retries "0";' 'Acquire::http::Proxy "http://127.0.0.1:9";' 'Acquire::https::Proxy "http://127.0.0.1:9";' \
	>"$T/apt.conf"
export APT_CONFIG=$T/apt.conf http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9
# fetched SUITE: in a namespace without any network; 77 is what makes a test skipped
fetched() {
	nsenter --net=/run/netns/nowhere timeout 300 "$TEST_ROOT/tests/vm/fetch-kernel" "$1" "$T/kernel.$1"
	[ $? != 77 ]
}

check_says "the newest kernel" 'fetch-kernel: (apt cannot reach suite|cannot download|suite .* has no)' fetched trixie-backports
check_says "the machine's own suite" 'fetch-kernel: (cannot download|suite .* has no)' fetched own
