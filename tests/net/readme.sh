#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The README's first program and first configuration do what it says.
. "$(dirname "$0")/../lib/harness.sh"

# shellcheck disable=SC2016 # the backquotes are Markdown's
sed -n '/^```c$/,/^```$/p' "$TEST_ROOT/README.md" | sed '/^```/d' >"$T/echo.c"
check "the first program compiles" cc ${IXD_SAN:+-fsanitize=$IXD_SAN} -Wall -Wextra -Werror \
	-I"$TEST_ROOT/client-lib/include" "$T/echo.c" "$IXD_BUILD/lib/libixclient.a" -pthread -o "$T/bin/first"
sed -n 's/^    \(\(interfaces\|policy\) = .*\)/\1/p' "$TEST_ROOT/README.md" |
	sed "s/group = \"www\"/user = \"$CLIENT_ID\"/" >"$T/readme.conf"
check "the first configuration passes" timeout 10 ixd -n -c "$T/readme.conf"

net_pair || exit 1
ixd_start || exit 1
start first client first
check "the first program serves" wait_until 10 in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 100000
stop first
ixd_stop
