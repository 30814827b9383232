#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# All conformance scripts against the pure engine, then the table of rules.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
runner=${IXD_BUILD:-build}/tests/conformance/run
[ -x "$runner" ] || { echo "$runner is not built"; exit 77; }
"$runner" tests/conformance/scripts/*.tcp
scripts=$?
tests/conformance/check-table
table=$?
exit $((scripts | table))
