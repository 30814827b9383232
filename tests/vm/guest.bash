# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What tests ask for on ixd's side, one line at a time: inside the guest, whose eth0, renamed ix0, is the emulated NIC,
# the host being at its other end; or on the machine whose interface the user named.

NIC=${NIC:-ix0} W=${W:-/tmp} # W: for files
declare -A PIDS=()

# other_nic DEVICE NAME ADDRESS/LENGTH
other_nic() {
	ip link set "$1" name "$2"
	ip addr add "$3" dev "$2"
	ip link set "$2" up
}

# all_queues QUEUES: all of the NIC's
all_queues() {
	ethtool -L "$NIC" combined 1
	ethtool -L "$NIC" combined "$1"
}

# rss_table: as it is now, and the key; nothing where there is none
rss_table() {
	ethtool -x "$NIC" | sed '/^RSS hash function/,$d' | grep .
}

# may_not COMMAND...: the driver or the kernel refuses it, in words
may_not() {
	! "$@" >"$W/words" 2>&1 && cat "$W/words" && [ -s "$W/words" ]
}

# nic ADDRESS/LENGTH QUEUES: the NIC with as many queue pairs
nic() {
	local device=eth0
	[ -e "/sys/class/net/$NIC" ] && device=$NIC
	ip link set "$device" down
	[ "$device" = "$NIC" ] || ip link set eth0 name "$NIC"
	ethtool -L "$NIC" combined "$2"
	ip addr replace "$1" dev "$NIC"
	ip link set "$NIC" up
}

nic_down() {
	ip link set "$NIC" down
}

nic_up() {
	ip link set "$NIC" up
}

# started NAME REGEX COMMAND...: in the background, until it prints what is looked for
started() {
	local name=$1 regex=$2 end=$((SECONDS + 10 * IXD_TIME_SCALE))
	shift 2
	: >"$W/log.$name"
	"$@" >>"$W/log.$name" 2>&1 </dev/null &
	PIDS[$name]=$!
	until grep -Eq -- "$regex" "$W/log.$name"; do
		if ! kill -0 "${PIDS[$name]}" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then
			cat "$W/log.$name"
			return 1
		fi
		sleep 0.05
	done
}

# stopped NAME: told to end, and has ended
stopped() {
	local rc
	kill -TERM "${PIDS[$1]}"
	wait "${PIDS[$1]}"
	rc=$?
	unset "PIDS[$1]"
	[ $rc = 0 ] || [ $rc = 143 ]
}

# says NAME REGEX: its log says so within the time that things take here
says() {
	local end=$((SECONDS + 2 * IXD_TIME_SCALE))
	until grep -Eq -- "$2" "$W/log.$1"; do
		[ "$SECONDS" -lt "$end" ] || {
			tail -n 15 "$W/log.$1"
			return 1
		}
		sleep 0.1
	done
}

# ixd_up CORES QUEUES COPY [RSS [EXTRA]]: an instance that permits everything to user 65103. With REFUSED set, those
# queues have no zero copy.
ixd_up() {
	cat >"$W/ixd.conf" <<CONF
interfaces = ( { name = "$NIC"; queues = $2; copy = "$3"; rss = "${4:-auto}"; } );
cores = $1;
${5:-}
control_user = "65101";
dataplane_user = "65102";
policy = ( { user = "65103"; listen = ( "*:*" ); connect = ( "*:*" ); } );
CONF
	if [ -n "${REFUSED:-}" ]; then
		started ixd 'is ready' env LD_PRELOAD=/work/build/tests/vm/refuse-zerocopy.so REFUSED="$REFUSED" \
			ixd -i default -c "$W/ixd.conf"
	else
		started ixd 'is ready' ixd -i default -c "$W/ixd.conf"
	fi
}

# as_client NAME PROGRAM...: an unprivileged server
as_client() {
	local name=$1
	shift
	started "$name" 'listening on' setpriv --reuid=65103 --regid=65103 --clear-groups --no-new-privs "$@"
}

# The dataplane gets no CPU; packets go on coming.
ixd_stand_still() {
	pkill -STOP -x ixd-dataplane
}

ixd_go_on() {
	pkill -CONT -x ixd-dataplane
}

# ixd_down: after it, nothing of ixd is left
ixd_down() {
	stopped ixd && [ ! -e /sys/fs/bpf/ixd/default ] && [ ! -e /run/ixd/default/client.sock ]
}

# counters NAME...: their sums over the cores, all read at once
counters() {
	ixctl stats -a --json | jq -r --arg names "$*" '[.counters[] | {key: "\(.group).\(.name)", value}] as $all |
		[$names | split(" ")[] | . as $name | [$all[] | select(.key == $name).value] | add] | map(tostring) | join(" ")'
}

# Nothing is under way: no frame is worked on or still to be sent, the pools have all that are free, the rest is with the
# kernel for receiving.
frames_at_rest() {
	local tx core free pool faults
	read -r tx core free pool faults <<<"$(counters frames.kernel_tx frames.core \
		frames.free core.frames_pool core.frame_faults)"
	[ "$tx" = 0 ] && [ "$core" = 0 ] && [ "$free" = "$pool" ] && [ "$faults" = 0 ]
}

# frames_are_right: that comes true, exactly. A core that sleeps looks for frames that are away 0.1 s, then 0.3 s after
# the last packet, and less often later.
frames_are_right() {
	local end=$((SECONDS + IXD_TIME_SCALE))
	until frames_at_rest; do
		if [ "$SECONDS" -ge "$end" ]; then
			ixctl stats -g frames
			ixctl stats | grep frames_pool
			return 1
		fi
	done
	ixctl stats -g frames
}

# fill_rings_are_full QUEUES SLOTS: of them all. They are filled up when 32 frames are free.
fill_rings_are_full() {
	[ "$(counters frames.kernel_rx)" -ge $(($1 * ($2 - 32))) ]
}

# kernel_dropped: what the kernel counts as dropped at the sockets, for want of a frame or of room in a ring
kernel_dropped() {
	ixctl status --json | jq '[.interfaces[].queue_list[].received_dropped] | add'
}

# frames_ran_out: a driver wanted a frame and there was none, or a packet found no room
frames_ran_out() {
	ixctl status --json | jq -e '[.interfaces[].queue_list[] | .fill_empty + .received_dropped] | add > 1000'
}

# nothing_lost: what XDP gave to sockets was received, or the kernel says that a ring was full; nothing came by a
# queue without the right socket, and nothing vanished between. With
# an argument, somebody has led packets to other queues.
nothing_lost() {
	local redirected received closed homeless dropped end=$((SECONDS + 3))
	while :; do
		read -r redirected received closed homeless <<<"$(counters xdp.redirected core.rx_packets \
			core.drop_rx_closed xdp.dropped_no_socket)"
		dropped=$(kernel_dropped)
		if [ "$redirected" = $((received + closed + dropped)) ] || [ "$SECONDS" -ge "$end" ]; then break; fi
	done
	echo "redirected $redirected, received $received, rings full $dropped, sockets closed $closed, no socket $homeless"
	ixctl status --json | jq -c '.interfaces[0].queue_list[] | [.queue, .core, .copy, .received_dropped, .ring_full, .fill_empty]'
	[ "$homeless" = 0 ] || [ -n "${1:-}" ] || return 1
	[ "$redirected" = $((received + closed + dropped)) ]
}

# nic_reset ADDRESS/LENGTH QUEUES: the driver is unbound and bound, and the interface configured as before
nic_reset() {
	local device
	device=$(basename "$(readlink -f "/sys/class/net/$NIC/device")")
	echo "$device" >/sys/bus/virtio/drivers/virtio_net/unbind
	echo "$device" >/sys/bus/virtio/drivers/virtio_net/bind
	nic "$1" "$2"
}

# every_queue_received NUMBER: packets of each queue have come to a core since the last time
every_queue_received() {
	ixctl status --json | jq -ce '[.interfaces[0].queue_list[].received] | ., (length == '"$1"' and min > 0)'
}
