#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What an operator can do to it by mistake: a file that is none, no room, no descriptors, stopped processes; and
# a crowd that connects and says nothing. Words, not a hang; and nothing left.
. "$(dirname "$0")/../lib/harness.sh"

# ---- files that have no end, or are none
mkfifo "$T/fifo"
check_says "a device as configuration" 'no regular file' timeout 5 ixd -n -c /dev/zero
check_says "a pipe as configuration" 'no regular file' timeout 5 ixd -n -c "$T/fifo"
check_says "a folder as configuration" 'directory' timeout 5 ixd -n -c "$T"
head -c 1500000 /dev/zero | tr '\0' ' ' >"$T/large.conf"
check_says "a very large file" 'more than' timeout 5 ixd -n -c "$T/large.conf"
head -c 3000 /dev/urandom >"$T/random.conf"
check_says "random bytes" 'random.conf:[0-9]+' timeout 5 ixd -n -c "$T/random.conf"

net_pair || exit 1
ixd_conf default

# ---- no room for the runtime directory
mkdir "$T/full"
mount -t tmpfs -o size=4k,nr_inodes=3 tmpfs "$T/full"
check_says "a full /run" '(No space|cannot be)' \
	env IXD_RUNDIR="$T/full/run" timeout 20 nsenter --net=/run/netns/ix ixd -c "$T/default.conf"
check "nothing is left of it" not bash -c "ip -n ix link show ix0 | grep -q xdp"
umount "$T/full"

# ---- few descriptors: more clients than they last for
start ixd-default in_ix prlimit --nofile=64:64 ixd -i default -c "$T/default.conf"
wait_line ixd-default 'ready' 10
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
for i in $(seq 12); do
	start "few$i" client env IXD_INSTANCE=default ix-echo -l "$IX_ADDR:$((7100 + i))"
done
check "it says so" wait_line ixd-default '(cannot be accepted|Too many open files)'
ticks() {
	awk '{ print $14 + $15 }' "/proc/${PIDS[ixd-default]}/stat"
}
before=$(ticks)
check "who is there is served" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 10000
sleep 2 # the measuring interval
check "the supervisor does not spin" test $(($(ticks) - before)) -lt $((60 * TIME_SCALE))
for i in $(seq 12); do
	stop "few$i" KILL
done
check "they are gone" wait_until 10 bash -c \
	"[ \"\$(ixctl --json clients | jq '[.. | objects | select(has(\"pid\"))] | length')\" = 1 ]"
check "and then there is room again" serve again ix-echo -l "$IX_ADDR:7001"
stop again

# ---- none at all when ixd looks after its interfaces
cat >"$T/silent.py" <<'SILENT'
import os, socket, time
os.seteuid(int(os.environ["CLIENT_ID"]))
kept = []
while True:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setblocking(False)
    try:
        s.connect("/run/ixd/default/client.sock")
        kept = kept[-200:] + [s]
    except OSError:
        time.sleep(0.05)
SILENT
descriptors_are_used_up() {
	[ "$(find "/proc/${PIDS[ixd-default]}/fd" -type l | wc -l)" -ge 64 ]
}
start silent env CLIENT_ID="$CLIENT_ID" python3 "$T/silent.py"
check "no descriptor is left" wait_until 10 descriptors_are_used_up
sleep 2 # it looks once in a second
check "no device is taken for gone" not grep 'its device is gone' "$T/log/ixd-default"
check "who is there is served still" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 10000
stop silent KILL
check "and once more there is room" wait_until 10 serve again ix-echo -l "$IX_ADDR:7001"
stop again
stop echo
ixd_stop

# ---- a crowd of user ids without a policy
ixd_conf default
ixd_start || exit 1
cat >"$T/crowd.py" <<'CROWD'
import os, socket, sys, time
kept = []
for uid in range(100000, 100300):
    os.seteuid(uid)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        s.connect("/run/ixd/default/client.sock")
        kept.append(s)
    except OSError:
        pass
    os.seteuid(0)
print("crowd of", len(kept), flush=True)
time.sleep(60)
CROWD
start crowd python3 "$T/crowd.py"
wait_line crowd 'crowd of'
check "who is allowed comes in" serve echo ix-echo -l "$IX_ADDR:7000"
stop crowd KILL

# ---- stopped processes
dataplane=$(child_of ixd-default ixd-dataplane)
kill -STOP "$dataplane"
check "a dataplane that is stopped is replaced" wait_until 40 grep -q 'dataplane runs again' "$T/log/ixd-default"
check "and its listeners serve" wait_until 10 in_peer k-client "$IX_ADDR:7000" echo --bytes 1000 --timeout 3

# All at once, as when a service is frozen: who wakes first must not hold it against the others.
dataplane=$(child_of ixd-default ixd-dataplane)
control=$(child_of ixd-default ixd-control)
frozen=("${PIDS[ixd-default]}" "$dataplane" "$control")
kill -STOP "${frozen[@]}"
sleep 12 # longer than watchdog_ms, which is what this is about
kill -CONT "${PIDS[ixd-default]}"
kill -CONT "$dataplane" "$control"
check "an instance that was frozen goes on" wait_until 10 ixctl reconfigure
check "with the same dataplane" test "$dataplane" = "$(child_of ixd-default ixd-dataplane)"
check "and serves" wait_until 10 in_peer k-client "$IX_ADDR:7000" echo --bytes 1000 --timeout 3

kill -STOP "$control"
check "ixctl does not wait for ever" not timeout 60 ixctl status
check "clients do not notice" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 10000
kill -CONT "$control"
check "a control process that goes on answers" wait_until 10 ixctl status
kill -STOP "${PIDS[echo]}"
serve other ix-echo -l "$IX_ADDR:7002"
check "a client that is stopped stops nobody else" \
	in_peer k-client "$IX_ADDR:7002" echo --connections 10 --bytes 10000
kill -CONT "${PIDS[echo]}"
for name in ixd-dataplane ixd-control; do
	kill -KILL "$(child_of ixd-default "$name")"
done
check "both children killed at once" wait_until 20 ixctl status
check "are both back" wait_until 20 in_peer k-client "$IX_ADDR:7002" echo --bytes 1000 --timeout 3
stop other
stop echo
ixd_stop
