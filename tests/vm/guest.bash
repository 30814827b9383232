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

# nic_reset ADDRESS/LENGTH QUEUES: the driver is unbound and bound, and the interface configured as before
nic_reset() {
	local device
	device=$(basename "$(readlink -f "/sys/class/net/$NIC/device")")
	echo "$device" >/sys/bus/virtio/drivers/virtio_net/unbind
	echo "$device" >/sys/bus/virtio/drivers/virtio_net/bind
	nic "$1" "$2"
}
