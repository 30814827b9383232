# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# The contenders, each with the same server logic:
#
#   kernel_block, kernel_spin   epoll, sleeping and spinning
#   uring_block, uring_spin     io_uring, sleeping and spinning
#   kernel_many                 epoll, sleeping, in as many processes as the connections need descriptors for
#   ixd_spin, ixd_sleep         ixd and its application on one core; without work it spins or sleeps (spin_us = 0)
#   ixd_dedicated               ixd on a core of its own, the application on the other
#   raw                         the same AF_XDP socket without TCP: what cannot be exceeded
#   raw_live                    the same with live frames as way out, as ixd has it
#
# Each stack has a pair of namespaces of its own with the same addresses; of the two CPUs the server's side has
# SERVER_CPU and the generator CLIENT_CPU.

SOURCES=10.77.0.100-10.77.0.115 # of generators that open many connections
ECHO=$IX_ADDR:7000
HTTP=$IX_ADDR:8080
KV=$IX_ADDR:11211
declare -A TUNING=([kernel_many]=rps [kernel_block]=rps [kernel_spin]=rps [uring_block]=rps [uring_spin]=rps)
declare -A ZERO_COPY=() # --zero-copy of the servers for which that is quicker
HUGE_PAGES_OF_IXD=64 # of 2 MB: packet frames
KERNEL_SERVERS=() # those that are built

# use_pair kernel|ixd|dedicated
use_pair() {
	case $1 in
	kernel) NS_IX=kix NS_PEER=kpeer ;;
	ixd) NS_IX=ix NS_PEER=peer ;;
	dedicated) NS_IX=dix NS_PEER=dpeer ;;
	two) NS_IX=tix NS_PEER=tpeer ;; # two queues
	esac
}

# No offload that a wire has not: packets of the MTU's size in both directions. (TX checksums are off by XDP at
# the other end where it needs that.)
offloads() { # on|off
	in_ix ethtool -K ix0 tso "$1" gso "$1" gro "$1" >/dev/null
	in_peer ethtool -K p0 tso "$1" gso "$1" gro "$1" >/dev/null
}

# pair_make [QUEUES]: the one that is in use
pair_make() {
	local last
	net_pair "${1:-1}" "${1:-1}" || return 1
	offloads off
	for last in {100..115}; do
		ip -n "$NS_PEER" addr add "10.77.0.$last/24" dev p0
	done
	# The best that is known for many connections and short ones; a run must not learn from the one before.
	in_ix sysctl -qw net.core.somaxconn=65535 net.ipv4.tcp_max_syn_backlog=65535 \
		net.ipv4.tcp_no_metrics_save=1 net.ipv4.tcp_syncookies=1
	in_peer sysctl -qw net.ipv4.tcp_no_metrics_save=1
}

pairs_make() {
	local pair
	for pair in kernel ixd dedicated; do
		use_pair $pair
		pair_make || return 1
		mkdir -p "$T/sys-$pair"
		in_ix mount -t sysfs sysfs "$T/sys-$pair"
	done
	huge_pages $HUGE_PAGES_OF_IXD
	command -v k-echo >/dev/null && KERNEL_SERVERS+=(kernel_block kernel_spin)
	command -v k-uring >/dev/null && KERNEL_SERVERS+=(uring_block uring_spin)
	[ ${#KERNEL_SERVERS[@]} = 4 ] || note limit kernel "k-uring is not built: no io_uring contender"
}

# ---- the kernel's best settings: where its receive side runs, and whether it merges segments

# On a shared core the server's receive side belongs on the server's CPU: by RPS, by RPS behind GRO, or in a NAPI
# thread pinned there. In the sender's call (plain, gro) it would have the generator's CPU as well; what the kernel
# does then is told, and is no contender.
WAYS=(rps gro_rps napi)
WAYS_ELSEWHERE=(plain gro)

# tune plain|gro|rps|gro_rps|napi: from whatever is set to this. With GRO a veth has NAPI, and takes live frames.
tune() {
	local dev="$T/sys-kernel/class/net/ix0" mask=0 gro=off
	if [ "$(<"$dev/threaded")" = 1 ]; then
		# Without NAPI nothing can be said of its thread: a part may have switched GRO off meanwhile.
		in_ix ethtool -K ix0 gro on >/dev/null && echo 0 >"$dev/threaded" || return 1
	fi
	[[ $1 != *rps ]] || mask=$((1 << SERVER_CPU))
	[[ $1 != gro* && $1 != napi ]] || gro=on
	printf '%x' $mask >"$dev/queues/rx-0/rps_cpus" && in_ix ethtool -K ix0 gro $gro >/dev/null || return 1
	[ "$1" = napi ] || return 0
	echo 1 >"$dev/threaded" && echo "napi/ix0 $SERVER_CPU" >&"$SESSION_PIN"
}

# In the parts in which it is told what the kernel does elsewhere: messages and round trips.
is_told_elsewhere() {
	[ -z "${QUICK:-}" ] && [[ $PART = msgs || $PART = rtt ]]
}

# calibrate SERVICE UNIT FUNCTION SERVER...: for each server the way with which FUNCTION, which sets SCORE, says most
calibrate() {
	local service=$1 unit=$2 score=$3 server way best told ways=("${WAYS[@]}")
	shift 3
	! is_told_elsewhere || ways+=("${WAYS_ELSEWHERE[@]}")
	for server; do
		best=0 told=
		for way in "${ways[@]}"; do
			TUNING[$server]=$way SCORE=0
			contender_up "$server" "$service" && "$score"
			contender_down
			sample "calibration_${PART}_$way" "$server" "$SCORE"
			told+="${told:+, }$way $SCORE"
			[[ " ${WAYS_ELSEWHERE[*]} " != *" $way "* ]] || continue
			! at_least "$SCORE" "$best" || best=$SCORE BEST[$server]=$way
		done
		TUNING[$server]=${BEST[$server]:-rps}
		note setting "$server, $PART" "${TUNING[$server]} (calibration, $unit: $told)"
		echo "bench: calibration of $PART: $server with ${TUNING[$server]}: $told"
	done
}
declare -A BEST=() BEST_OF_MESSAGES=()

# Two parts ask the same.
calibrate_messages() { # SERVER...
	local server
	if [ ${#BEST_OF_MESSAGES[@]} = 0 ]; then
		calibrate echo messages/s score_messages "$@"
		for server; do
			BEST_OF_MESSAGES[$server]=${TUNING[$server]}
		done
		return
	fi
	for server; do
		TUNING[$server]=${BEST_OF_MESSAGES[$server]}
	done
}

# What is best for one is not for another: each part asks with its own load.
SCORE_LOAD=(--duration 0.3 --warmup 0.1)
[ -z "${QUICK:-}" ] || SCORE_LOAD=(--duration 0.1 --warmup 0.05)
score_messages() {
	load "$ECHO" --connections 64 "${SCORE_LOAD[@]}" && SCORE=$(jq '.slices.messages_per_s | floor' <<<"$LOAD")
}
score_trips() {
	load "$ECHO" "${SCORE_LOAD[@]}" && SCORE=$(jq '1e6 / .slices.p50 | floor' <<<"$LOAD")
}
score_connections() {
	load "$ECHO" --source "$SOURCES" --connections 64 --round-trips 1 "${SCORE_LOAD[@]}" &&
		SCORE=$(jq '.connections_per_s | floor' <<<"$LOAD")
}
# Where the tail decides: the way with the most messages may be one with pauses (a NAPI thread beside an application
# that sleeps), which only an open loop sees.
score_key_value() {
	load "$KV" --workload usr --connections 64 --rate "$KV_SCORE_RATE" "${SCORE_LOAD[@]}" &&
		SCORE=$(jq '1e6 / .slices.p99 | floor' <<<"$LOAD")
}
score_download() {
	RUNS=1 measure gbps "$HTTP" get --path /part >/dev/null # the first meets a cold server
	SCORE=$(RUNS=1 measure gbps "$HTTP" get --path /part)
}
score_bulk() {
	local from to
	score_download
	from=$SCORE
	to=$(RUNS=1 measure gbps "$HTTP" put --path /sink --bytes "$(stat -c %s "$T/www/part")")
	SCORE=$(awk -v a="$from" -v b="$to" 'BEGIN { printf "%.3f", a + b }')
}

# Files sent from where they lie: whether that is quicker is asked with the download alone, twice in turn.
calibrate_zero_copy() { # SERVER...
	local server try how told="the kernel does not send without a copy"
	local -A best
	for server; do
		best=([copy]=0 [--zero-copy]=0)
		for try in copy --zero-copy copy --zero-copy; do
			ZERO_COPY[$server]=${try#copy} SCORE=0
			contender_up "$server" http && score_download
			if [ "$try" = --zero-copy ] && grep -q '^zero-copy sends' "$T/log/server"; then
				told=$(sed -n 's/^zero-copy sends: //p' "$T/log/server")
			fi
			contender_down
			! at_least "$SCORE" "${best[$try]}" || best[$try]=$SCORE
		done
		ZERO_COPY[$server]=
		! at_least "${best[--zero-copy]}" "${best[copy]}" || ZERO_COPY[$server]=--zero-copy
		how=${ZERO_COPY[$server]:-send}
		note setting "$server, zero copy" "${how#--} (calibration, Gb/s from the server: send ${best[copy]}, \
zero-copy ${best[--zero-copy]}: $told)"
	done
}

# ---- servers

# contender_up CONTENDER echo|http|kv [IXD-SETTINGS]
contender_up() {
	local spin=()
	case $1 in
	kernel_* | uring_*)
		use_pair kernel
		tune "${TUNING[$1]}" || return 1
		[[ $1 != *_spin ]] || spin=(--spin)
		kernel_server "$1" "$2" "${spin[@]}"
		;;
	ixd_*)
		use_pair ixd
		ixd_up "$1" "${3:-}" && ixd_server "$2" "$IXD_APP_SPIN_US"
		;;
	esac
}

kernel_server() { # CONTENDER SERVICE [--spin]
	local program=(k-echo -l "$ECHO")
	case $1-$2 in
	uring_*-http)
		program=(k-uring-httpd -l "$HTTP" --root "$T/www")
		[ -z "${ZERO_COPY[$1]:-}" ] || program+=("${ZERO_COPY[$1]}")
		;;
	*-http) program=(k-httpd -l "$HTTP" --root "$T/www") ;;
	uring_*-kv) program=(k-uring-kv -l "$KV") ;;
	*-kv) program=(k-kv -l "$KV") ;;
	uring_*-echo) program=(k-uring -l "$ECHO") ;;
	kernel_many-echo) program+=(--processes "$MANY_PROCESSES") ;;
	esac
	shift 2
	start server in_ix taskset -c "$SERVER_CPU" "${program[@]}" "$@" --timeout 300
	wait_line server 'listening on'
}

# ixd_up ixd_spin|ixd_sleep|ixd_dedicated [SETTINGS]
ixd_up() {
	local spin_us=1000 placement=shared
	IXD_APP_SPIN_US=1000
	case $1 in
	ixd_sleep) spin_us=0 IXD_APP_SPIN_US=0 ;;
	ixd_dedicated) spin_us=10000000 IXD_APP_SPIN_US=10000000 placement=dedicated ;;
	esac
	CORES="[ $SERVER_CPU ]" EXTRA="placement = \"$placement\"; spin_us = $spin_us; $2" ixd_conf default
	ixd_start || return 1
	DROPS_BEFORE=$(veth_drops)
}

# Packets that came over the wire and found no room in the RX ring of ixd's sockets or of the veth, so far. (What
# the generator has no room for is its own loss: rx_ring_drops.)
veth_drops() {
	in_ix ethtool -S ix0 | awk '/rx_queue_[0-9]+_drops/ { sum += $2 } END { print sum + 0 }'
}

ixd_server() { # SERVICE APP_SPIN_US
	local program=(ix-echo -l "$ECHO")
	case $1 in
	none) return 0 ;;
	http)
		program=(ix-httpd -l "$HTTP" --root "$T/www" --sink /sink)
		# Enough for the file; a build to compare with may be older than this.
		! ix-httpd --help | grep -q -e --memory || program+=(--memory 512)
		;;
	kv) program=(ix-kv -l "$KV") ;;
	esac
	serve server taskset -c "$SERVER_CPU" "${program[@]}" -s "$2"
}

# raw_up [IX-REFLECT-ARGUMENTS]: the raw AF_XDP reflector in ixd's place
raw_up() {
	use_pair ixd
	start server in_ix ix-reflect --if ix0 --listen "$ECHO" --cpu "$SERVER_CPU" "$@"
	wait_line server 'listening on'
}

contender_down() {
	stop server
	stop client-end
	stop asks-0
	stop asks-1
	stop ixd-default
}

# ---- the generator

# load ADDRESS:PORT IX-LOAD-ARGUMENTS...: sets LOAD to what ix-load says
load() {
	local target=$1
	shift
	LOAD=$(in_peer timeout 60 ix-load --if p0 --target "$target" --cpu "$CLIENT_CPU" --json --duration "$D" \
		--warmup "$W" "$@" 2>"$T/log/load") && [ -n "$LOAD" ] && return 0
	note fault "$PART" "ix-load $*: $(tail -n 1 "$T/log/load")"
	return 1
}

# ixd_losses: everything that was lost in a ring or queue of ixd or before it, in this turn
ixd_losses() {
	ixctl --json stats | jq --argjson veth $(($(veth_drops) - DROPS_BEFORE)) '[.counters[] | select(.name |
		IN("drop_tx_no_frame", "drop_rx_invalid", "rx_no_memory", "dropped_no_socket", "drop_no_memory",
		"drop_no_record", "drop_backlog")) | .value] | add + $veth'
}
