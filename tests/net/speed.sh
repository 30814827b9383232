#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Speed against the kernel with the same server logic, measured in one run: bulk at least half of what the
# kernel reaches with MTU-sized packets, round trips of 64 bytes at most twice as long. Medians of three.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/lib/measure.sh"

[ -z "${IXD_SAN:-}" ] || skip_all "a sanitised build is not measured"
head -c 256M /dev/urandom >"$T/www/file"
net_pair || exit 1
ixd_conf_fast default
ixd_start || exit 1
serve httpd taskset -c "$SERVER_CPU" ix-httpd -l "$IX_ADDR:8080" --root "$T/www" --sink /sink || exit 1
measure_bulk file
stop httpd
serve echo taskset -c "$SERVER_CPU" ix-echo -l "$IX_ADDR:7000" || exit 1
measure_rtt
stop echo
ixd_stop
ixd_down=$DOWN ixd_up=$UP ixd_rtt=$RTT
kernel_measure off file || exit 1
check "download: $ixd_down Gb/s, kernel $DOWN" at_least "$ixd_down" "$(ratio "$DOWN" 2)"
check "upload: $ixd_up Gb/s, kernel $UP" at_least "$ixd_up" "$(ratio "$UP" 2)"
check "round trip: $ixd_rtt us, kernel $RTT" at_most "$ixd_rtt" "$(ratio "$RTT" 0.5)"
