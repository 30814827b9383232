#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# `make bench`: ixd beside the kernel and beside what AF_XDP can do at all. Contenders take turns round by round,
# so that a machine that becomes slower becomes slower for all. See tests/bench/README.md.
#
# Environment: QUICK=1 (short turns, thin curves), ROUNDS (default 5, QUICK: 3), ONLY (parts, as rtt,msgs), BENCH_OUT
# (folder for the results, default $IXD_BUILD/bench), BENCH_WAIT (seconds to wait for another bench, default 1800).
BENCH_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$BENCH_DIR/session.bash"
session_enter "$@"
. "$BENCH_DIR/../lib/harness.sh"
. "$BENCH_DIR/../lib/measure.sh"
. "$BENCH_DIR/record.bash"
. "$BENCH_DIR/contenders.bash"

ALL_PARTS=(rtt msgs conn bulk many kv batch idle cores)
for part in "${ALL_PARTS[@]}"; do
	# shellcheck source=/dev/null
	. "$BENCH_DIR/parts/$part.bash"
done

# Seconds of a measurement, and of what goes before it; of the points of a curve, which are medians of slices.
# shellcheck disable=SC2034 # used by the parts
if [ -z "${QUICK:-}" ]; then
	ROUNDS=${ROUNDS:-5} CURVE_ROUNDS=2 D=0.6 W=0.2 CURVE_D=0.3
else
	ROUNDS=${ROUNDS:-3} CURVE_ROUNDS=1 D=0.2 W=0.05 CURVE_D=0.15
fi

IFS=', ' read -r -a PARTS <<<"${ONLY:-${ALL_PARTS[*]}}"
for part in "${PARTS[@]}"; do
	declare -F "part_$part" >/dev/null || {
		echo "bench: there is no part \"$part\"; parts are ${ALL_PARTS[*]}" >&2
		exit 2
	}
done

record_begin
pairs_make || exit 1
for part in "${PARTS[@]}"; do
	progress_part "$part"
	"part_$part"
	contender_down
done
check "results" record_end
cat "$BENCH_OUT/results.md"
