#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The README's first program and first configuration do what it says.
. "$(dirname "$0")/../lib/harness.sh"

# shellcheck disable=SC2016 # the backquotes are Markdown's
sed -n '/^```c$/,/^```$/p' "$TEST_ROOT/README.md" | sed '/^```/d' >"$T/echo.c"
check "the first program compiles" cc ${IXD_SAN:+-fsanitize=$IXD_SAN} -Wall -Wextra -Werror \
	-I"$TEST_ROOT/client-lib/include" "$T/echo.c" "$IXD_BUILD/lib/libixclient.a" -pthread -o "$T/bin/first"
sed -n 's/^    \(\(interfaces\|policy\) = .*\)/\1/p' "$TEST_ROOT/README.md" |
	sed "s/group = \"www-data\"/user = \"$CLIENT_ID\"/" >"$T/readme.conf"
check "the first configuration passes" timeout 10 ixd -n -c "$T/readme.conf"

net_pair || exit 1
ixd_start || exit 1
start first client first
check "the first program serves" wait_until 10 in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 100000
stop first

# What was tried with veth, as the table has it, and how it is said.
table_of_veth() {
	sed -n '/^<!-- tried: begin/,/^<!-- tried: end/p' "$TEST_ROOT/README.md" |
		awk -F ' *[|] *' '$3 ~ /^veth,/ && $5 ~ /^[0-9]+$/ { checks[$2] += $5 } END { for (k in checks) print k, checks[k] }'
}
says_what_was_tried() {
	local here=', not on this kernel'
	diff <(table_of_veth | sort) <(ixctl status --json | jq -r '.interfaces[0].tried[] | "\(.kernel) \(.checks)"' | sort) || return 1
	! table_of_veth | grep -qF "$(uname -r) " || here=''
	ixctl status | tee "$T/status"
	grep -Eq "^ +driver tried on .*\([0-9]+ checks\)$here\$" "$T/status"
}
check "status: on which kernels the driver was tried" says_what_was_tried
ixd_stop
