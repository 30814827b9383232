#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The corpus of each fuzzer, and the inputs that once found something, through programs of the ordinary build.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${IXD_BUILD:-build}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
rc=0
for source in tests/fuzz/*_fuzz.c; do
	name=$(basename "$source" _fuzz.c)
	places=()
	for place in "tests/fuzz/corpus/$name" "tests/fuzz/regressions/$name"; do
		[ -d "$place" ] && places+=("$place")
	done
	if timeout 300 "$build/tests/fuzz/$name" "${places[@]}" >"$out" 2>&1; then
		echo "ok fuzz/$name: $(tail -n 1 "$out")"
	else
		echo "not ok fuzz/$name"
		tail -n 30 "$out" | sed 's/^/# /'
		rc=1
	fi
done
exit $rc
