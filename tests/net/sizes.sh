#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One byte to 1 GB in each direction, by ix-cat at ixd's end, which listens and connects; every byte checked.
. "$(dirname "$0")/../lib/harness.sh"

LARGEST=1G
[ -n "${IXD_SAN:-}" ] && LARGEST=64M

# to_ixd SIZE: the kernel's side sends the pattern, ix-cat's output must be it.
to_ixd() {
	start cat client bash -c "exec ix-cat -l $IX_ADDR:7100 </dev/null | k-pattern --check $1"
	wait_line cat 'listening on' || return 1
	in_peer k-client "$IX_ADDR:7100" send --bytes "$1" --timeout 120 && wait_end cat 20
}

# from_ixd SIZE: ix-cat sends the pattern and half-closes, the kernel's side checks it and closes.
from_ixd() {
	start cat client bash -c "set -o pipefail; k-pattern $1 | ix-cat -l $IX_ADDR:7100 >/dev/null"
	wait_line cat 'listening on' || return 1
	in_peer k-client "$IX_ADDR:7100" receive --timeout 120 | tee "$T/received" &&
		grep -q "bytes=$(numfmt --from=iec "$1") " "$T/received" && wait_end cat 20
}

net_pair || exit 1
ixd_start || exit 1
for size in 0 1 1447 1448 1449 65536 1M 16M $LARGEST; do
	check "$size bytes to ixd" to_ixd "$size"
	stop cat KILL
	check "$size bytes from ixd" from_ixd "$size"
	stop cat KILL
done
ixd_stop
