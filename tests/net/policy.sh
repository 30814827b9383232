#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who may do what: refused by the policy, in words, and without harm to those who are allowed.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
POLICY="policy = ( { user = \"$CLIENT_ID\"; listen = ( \"*:7000-7009\" ); connect = ( \"10.77.0.2:7200\" ); },
	{ user = \"$OTHER_ID\"; listen = ( \"*:7000-7009\" ); } );" \
	ixd_conf default
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
peer_serve far k-echo -l "$PEER_ADDR:7200" --timeout 100
peer_serve other k-echo -l "$PEER_ADDR:7201" --timeout 100

check_says "an unknown user is not admitted" '(policy|permi|denied|allowed)' \
	in_ix_as "$STRANGER_ID" timeout 10 "$T/bin/ix-echo" -l "$IX_ADDR:7001"
check_says "a port outside the policy is refused" '(policy|[Pp]ermission|denied|allowed)' \
	client timeout 10 "$T/bin/ix-echo" -l "$IX_ADDR:7010"
check "a port inside is allowed" serve echo2 ix-echo -l "$IX_ADDR:7009"
check "connecting where it is allowed" bash -c "k-pattern 1000 | client timeout 10 ix-cat -N 10.77.0.2:7200 | k-pattern --check 1000"
check_says "connecting elsewhere is refused" '(policy|[Pp]ermission|denied|allowed)' \
	client timeout 10 "$T/bin/ix-cat" 10.77.0.2:7201
check "a second process of the same user shares a listener" serve echo3 ix-echo -l "$IX_ADDR:7000"
check "and both serve" in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 10000
stop echo3
check "one process does not get the same listener twice" client twice "$IX_ADDR:7005"
check_says "another user's listener is not shared" '(in use|[Pp]ermission|policy|allowed)' \
	in_ix_as "$OTHER_ID" timeout 10 "$T/bin/ix-echo" -l "$IX_ADDR:7000"
check "those who are allowed do not notice" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 10000
stop echo
stop echo2
ixd_stop
