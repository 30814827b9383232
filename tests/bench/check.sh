#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# `make bench-check`: the present build against another one, in pairs of which each is measured one right after
# the other, in alternating order. What happens to the machine meanwhile happens to both.
# check.sh BASE-BUILD BASE-NAME. Environment: PAIRS (default 10; QUICK=1: 8, fewer cannot tell), IXD_BUILD, BENCH_OUT.
BENCH_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$BENCH_DIR/session.bash"
session_enter "$@"
. "$BENCH_DIR/../lib/harness.sh"
. "$BENCH_DIR/../lib/measure.sh"
. "$BENCH_DIR/record.bash"
. "$BENCH_DIR/contenders.bash"

BASE_BUILD=$1 BASE_NAME=$2
PAIRS=${PAIRS:-10} D=0.6 W=0.2 BULK_BYTES=128M PART=check
# shellcheck disable=SC2034 # D and W: see load()
[ -z "${QUICK:-}" ] || PAIRS=8 D=0.3 W=0.1 BULK_BYTES=64M
BUILD_PATH=$PATH

# Servers and daemon of the build; the generator is always the present one.
use_build() { # base|new
	PATH=$BUILD_PATH
	[ "$1" = new ] || PATH=$T/base/bin:$BUILD_PATH
	hash -r
}

measure_build() { # base|new
	use_build "$1"
	contender_up ixd_spin echo || return 1
	load "$ECHO" || return 1
	samples_of_load "$1" null rtt_us=.latency_us.p50
	load "$ECHO" --connections 64 || return 1
	samples_of_load "$1" null msgs_64=.messages_per_s p99_64_us=.latency_us.p99
	load "$ECHO" --connections 1024 || return 1
	samples_of_load "$1" null msgs_1024=.messages_per_s
	load "$ECHO" --source "$SOURCES" --connections 64 --round-trips 1 || return 1
	samples_of_load "$1" null conn_rate=.connections_per_s
	contender_down
	contender_up ixd_spin http || return 1
	sample goodput_from_gbps "$1" "$(RUNS=1 measure gbps "$HTTP" get --path /file)"
	sample goodput_to_gbps "$1" "$(RUNS=1 measure gbps "$HTTP" put --path /sink --bytes "$BULK_BYTES")"
}

# What the base has not would be taken from the present build, and compared with itself.
for program in bin/ixd bin/ix-echo bin/ix-httpd libexec/ixd-dataplane libexec/ixd-control; do
	[ -x "$BASE_BUILD/$program" ] || {
		not_ok "$BASE_BUILD is no whole build: it has no $program"
		exit 1
	}
done
mkdir -p "$T/base"
cp -a "$BASE_BUILD/bin" "$BASE_BUILD/libexec" "$T/base/" || exit 1
record_begin
pairs_make || exit 1
head -c "$BULK_BYTES" /dev/urandom >"$T/www/file"
for ((ROUND = 1; ROUND <= PAIRS; ROUND++)); do
	order=(base new)
	[ $((ROUND % 2)) = 0 ] || order=(new base)
	echo "bench-check: pair $ROUND of $PAIRS"
	for build in "${order[@]}"; do
		measure_build "$build" || note fault check "pair $ROUND: $build failed"
		contender_down
	done
done
use_build new
"$PYTHON" -B "$BENCH_DIR/report/pairs.py" "$BENCH_OUT" "$BASE_NAME"
case $? in
0) ok "no regression against $BASE_NAME" ;;
*) not_ok "regression against $BASE_NAME, or no measurement" ;;
esac
