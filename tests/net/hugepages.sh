#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Packet frames in huge pages when there are some, else in normal pages with one warning that says how to get
# them; required and absent is refused.
. "$(dirname "$0")/../lib/harness.sh"

free_pages() {
	awk '/^HugePages_Free/ { print $2 }' /proc/meminfo
}

has_free_pages() {
	[ "$(free_pages)" -ge "$1" ]
}

net_pair || exit 1
huge_pages 64
if [ "$(free_pages)" -lt 40 ]; then
	skip "huge pages" "the machine has no 64 free huge pages"
else
	EXTRA='hugepages = "require";' ixd_conf default
	ixd_start || exit 1
	serve echo ix-echo -l "$IX_ADDR:7000"
	check "serves from huge pages" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 100000
	stop echo
	ixd_stop
	check "the huge pages are given back" wait_until 5 has_free_pages 40
fi
huge_pages -64

if [ "$(free_pages)" = 0 ]; then
	EXTRA='hugepages = "require";' ixd_conf default
	check_says "required, but there are none" 'huge' timeout 20 nsenter --net=/run/netns/ix "$T/bin/ixd" \
		-i default -c "$T/default.conf"
	ixd_conf default
	ixd_start || exit 1
	check "one warning says how to get them" test "$(grep -ci 'huge' "$T/log/ixd-default")" = 1
	check "with the setting's name" grep -q 'nr_hugepages' "$T/log/ixd-default"
	ixd_stop
fi
