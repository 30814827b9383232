#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# curl, unmodified, downloads from and uploads to ix-httpd, from 1 byte to 256 MB; SHA-256 of both ends compared.
. "$(dirname "$0")/../lib/harness.sh"

URL="http://$IX_ADDR:8080"
LARGE=$((64 * 1048576))
SIZES="0 1 2 1447 1448 1449 65535 65536 1048576"
[ -n "${IXD_SAN:-}" ] || LARGE=$((256 * 1048576))
[ -z "${IXD_TEST_SMALL:-}" ] || LARGE=$((4 * 1048576)) SIZES="1 1449 65536"

hash_of() {
	sha256sum <"$1" | cut -d' ' -f1
}

download() {
	in_peer curl -sS --fail --max-time $((60 * TIME_SCALE)) -o "$T/got" "$URL/$1" &&
		[ "$(hash_of "$T/got")" = "$(hash_of "$T/www/$1")" ]
}

# The sink answers with the number of bytes and their hash.
upload() {
	in_peer curl -sS --fail --max-time $((60 * TIME_SCALE)) -T "$T/www/$1" "$URL/sink" >"$T/answer" &&
		cat "$T/answer" &&
		[ "$(cat "$T/answer")" = "bytes $1"$'\n'"sha256 $(hash_of "$T/www/$1")" ]
}

net_pair || exit 1
ixd_start || exit 1
for size in $SIZES $LARGE; do
	head -c "$size" /dev/urandom >"$T/www/$size"
done
serve httpd ix-httpd -l "$IX_ADDR:8080" --root "$T/www" --sink /sink --sha256 || exit 1

for size in $SIZES $LARGE; do
	check "download of $size bytes" download "$size"
	check "upload of $size bytes" upload "$size"
done
check "keep-alive: three files over one connection" in_peer curl -sS --fail --max-time 20 \
	-o /dev/null "$URL/1" -o /dev/null "$URL/1449" -o /dev/null "$URL/65536"
check "a range" bash -c "[ \"\$(in_peer curl -sS --max-time 20 -r 100-199 $URL/65536 | sha256sum)\" \
	= \"\$(head -c 200 $T/www/65536 | tail -c 100 | sha256sum)\" ]"
check "a range that is none" bash -c "[ \"\$(in_peer curl -sS --fail --max-time 20 -H 'Range: bytes=9999999999-x' \
	$URL/65536 | sha256sum)\" = \"\$(sha256sum <\"$T/www/65536\")\" ]"
check "HEAD" in_peer curl -sS --fail --max-time 20 -I "$URL/65536"
check_says "a file that does not exist is 404" '404' in_peer curl -sS --fail --max-time 20 "$URL/none"
check_says "no way out of the root" '(404|400|403)' \
	in_peer curl -sS --fail --path-as-is --max-time 20 "$URL/../../../etc/passwd"
check "a client that breaks off" bash -c "
	in_peer curl -sS --max-time 20 $URL/$LARGE | head -c 100000 >/dev/null
	in_peer curl -sS --fail --max-time 20 -o /dev/null $URL/65536"
stop httpd
ixd_stop
