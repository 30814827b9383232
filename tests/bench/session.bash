# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# One measurement at a time on a machine, ahead of whatever else runs on it. Sourced before the harness, which
# hides the rest of the machine.

# Two benches at once would measure each other.
session_lock() {
	local file=/run/lock/ixd-bench.lock
	mkdir -p /run/lock
	exec {SESSION_LOCK}>"$file"
	flock -n "$SESSION_LOCK" && return
	echo "bench: another one is running; waiting for it at most ${BENCH_WAIT:-1800} s" >&2
	flock -w "${BENCH_WAIT:-1800}" "$SESSION_LOCK" || {
		echo "bench: it is still running; try later" >&2
		exit 1
	}
}

# A session of its own: with autogroups the kernel shares CPUs between sessions, whatever the niceness inside, so
# that a build in another terminal would take half. Ctrl-C does not reach it, and is handed on.
session_detach() {
	local session
	BENCH_DETACHED=1 setsid "$BASH" "$0" "$@" &
	session=$! # leads a process group as well
	trap 'kill -TERM -- "-$session" 2>/dev/null' INT TERM
	until wait "$session" || ! kill -0 "$session" 2>/dev/null; do
		:
	done
	wait "$session"
	exit $?
}

# Threads of the kernel are not seen from the harness' PID namespace: a process outside takes lines NAME CPU from
# the descriptor SESSION_PIN and pins every thread whose name begins so.
session_pinner() {
	local name cpu pid
	exec {SESSION_PIN}> >(
		while read -r name cpu; do
			for pid in $(pgrep "^$name"); do
				taskset -pc "$cpu" "$pid"
			done
		done >/dev/null 2>&1
	)
	export SESSION_PIN
}

session_enter() {
	[ -z "${IXD_TEST_INSIDE:-}" ] || return 0
	[ "$(id -u)" = 0 ] || return 0 # the harness says what it needs
	if [ -z "${BENCH_DETACHED:-}" ]; then
		session_detach "$@"
	fi
	session_lock
	[ ! -w /proc/self/autogroup ] || echo -20 >/proc/self/autogroup
	renice -n -10 $$ >/dev/null
	IXD_BUILD=$(cd "$BENCH_DIR/../.." && cd "${IXD_BUILD:-build}" && pwd) || exit 1
	export IXD_BUILD BENCH_OUT=${BENCH_OUT:-$IXD_BUILD/bench}
	# Debian's own, for which its packages of Python modules are.
	PYTHON=$(command -v /usr/bin/python3 || command -v python3)
	export PYTHON
	mkdir -p "$BENCH_OUT"
	"$PYTHON" -B "$BENCH_DIR/report/machine.py" "$BENCH_DIR/../.." >"$BENCH_OUT/machine.json" || exit 1
	session_pinner
	jq -r '.warnings[] | "bench: " + .' "$BENCH_OUT/machine.json" >&2
}
