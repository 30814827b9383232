#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ixd as systemd runs it: a container, made of an overlay of this machine, is booted by systemd; ixd is installed
# into it by `make install`, started by its first client, reloaded, restarted, killed and stopped.
# What happens in the container is in tests/lib/systemd-inside.
. "$(dirname "$0")/../lib/harness.sh"

# Against a hang; most of it are a few seconds of systemd.
BOOT_LIMIT_S=$((170 + 30 * TIME_SCALE))

command -v systemd-nspawn >/dev/null || skip_all "needs systemd-nspawn (package systemd-container)"
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"

# $T is a tmpfs: an overlay's upper folder may not lie on another overlay, and nothing is left on the disk.
ROOT=$T/root
mkdir "$T/upper" "$T/work" "$ROOT" "$T/out" "$T/bpf"
mount -t overlay overlay -o "lowerdir=/,upperdir=$T/upper,workdir=$T/work" "$ROOT" ||
	skip_all "needs overlayfs"
mount -t bpf -o mode=0700 bpf "$T/bpf" || skip_all "needs a BPF file system"
mkdir -p "$ROOT/opt/ixd-test"
cp "$IXD_BUILD/tests/net/"k-* "$ROOT/opt/ixd-test/" || exit 1
cp "$TEST_ROOT/tests/lib/systemd-inside" "$ROOT/opt/ixd-test/inside"
# Built already: this only copies.
check "make install" make -s -C "$TEST_ROOT" O="$IXD_BUILD" SAN="${IXD_SAN:-}" DESTDIR="$ROOT" install || exit 1
uninstalled() {
	make -s -C "$TEST_ROOT" O="$IXD_BUILD" SAN="${IXD_SAN:-}" DESTDIR="$T/dest" install &&
		echo '# mine' >>"$T/dest/etc/ixd/default.conf" &&
		make -s -C "$TEST_ROOT" O="$IXD_BUILD" SAN="${IXD_SAN:-}" DESTDIR="$T/dest" install uninstall &&
		[ "$(find "$T/dest" -not -type d)" = "$T/dest/etc/ixd/default.conf" ] &&
		grep -q '^# mine$' "$T/dest/etc/ixd/default.conf" && ! find "$T/dest" -type d -name 'ix*' | grep -v etc/ixd
}
# What was installed is enough to build a client, in C and in C++.
compiled() {
	local flags
	make -s -C "$TEST_ROOT" O="$IXD_BUILD" SAN="${IXD_SAN:-}" DESTDIR="$T/dest" install || return 1
	flags=$(PKG_CONFIG_SYSROOT_DIR="$T/dest" PKG_CONFIG_PATH="$T/dest/usr/lib/pkgconfig" \
		pkg-config --cflags --libs libixclient) || return 1
	printf '%s\n' '#include <ix/ix.h>' '#include <ix/ixev.h>' \
		'int main(void) { struct ix_client *c; return ix_open("nobody", 0, &c) == 0; }' >"$T/client.c"
	# shellcheck disable=SC2086 # a list of options
	cc ${IXD_SAN:+-fsanitize=$IXD_SAN} -Wall -Werror -o "$T/client" "$T/client.c" $flags &&
		LD_LIBRARY_PATH="$T/dest/usr/lib" "$T/client" &&
		c++ ${IXD_SAN:+-fsanitize=$IXD_SAN} -x c++ -Wall -Werror -o "$T/client" "$T/client.c" $flags &&
		LD_LIBRARY_PATH="$T/dest/usr/lib" "$T/client"
}
check "a client builds against what was installed" compiled
check "make uninstall leaves the operator's configuration and nothing else" uninstalled
check "units are well-formed" systemd-analyze --man=no --root="$ROOT" verify \
	/lib/systemd/system/ixd.service /lib/systemd/system/ixd@x.service

cat >"$ROOT/etc/systemd/system/ixd-test.service" <<UNIT
[Unit]
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
Environment=IXD_SAN=${IXD_SAN:-} TIME_SCALE=$TIME_SCALE ASAN_OPTIONS=$ASAN_OPTIONS
ExecStart=/opt/ixd-test/inside
TimeoutStartSec=$BOOT_LIMIT_S
StandardOutput=file:/out/results
StandardError=file:/out/log
UNIT

# The search for leaks attaches to the process, which the units' sandbox forbids; other tests look for leaks.
if [ -n "${IXD_SAN:-}" ]; then
	for unit in ixd ixd@; do
		mkdir -p "$ROOT/etc/systemd/system/$unit.service.d"
		printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' \
			>"$ROOT/etc/systemd/system/$unit.service.d/sanitizer.conf"
	done
fi

# The container's own network, capabilities and bpf(2) as FACTS of the platform ask for; no unit to be in and no
# machine to be registered with, because the test's own systemd may not exist.
timeout --kill-after=5 $((BOOT_LIMIT_S + 15)) systemd-nspawn --quiet --boot --directory="$ROOT" --register=no \
	--keep-unit --link-journal=no --capability=all --private-network --resolv-conf=off --timezone=off \
	--system-call-filter="bpf perf_event_open" --bind="$T/bpf:/sys/fs/bpf" --bind="$T/out:/out" \
	--console=pipe systemd.unit=ixd-test.service systemd.show_status=no >"$T/log/boot" 2>&1 </dev/null
status=$?

if [ ! -s "$T/out/results" ]; then
	echo "# the container did not boot (status $status):"
	log_show boot 30
	if grep -qi 'operation not permitted' "$T/log/boot"; then
		skip_all "a container cannot be booted here: $(grep -i -m1 'not permitted' "$T/log/boot")"
	fi
	not_ok "the container boots"
	exit 1
fi
while IFS= read -r line; do
	case $line in
	"ok "*) ok "${line#ok }" ;;
	"not ok "*) not_ok "${line#not ok }" ;;
	*) echo "# $line" ;;
	esac
done <"$T/out/results"
if [ "$FAILED" -gt 0 ]; then
	sed 's/^/#   /' "$T/out/log" | tail -n 120
fi
check "the test in the container ran to its end" grep -q '^done$' "$T/out/results"
