# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2153
#
# What was measured, line by line of JSON, and how far it is.
#
# samples.jsonl: {"part","figure","contender","x","round","value", and what ix-load says about errors and losses}
# notes.jsonl: {"kind": "missing" | "limit" | "setting" | "fault", "key", "text"}

SAMPLES=$BENCH_OUT/samples.jsonl
NOTES=$BENCH_OUT/notes.jsonl
ROUND=0

# Seconds that a part takes, in full and QUICK, for the progress line.
declare -A PART_SECONDS=([rtt]=75 [msgs]=145 [conn]=60 [bulk]=52 [many]=118 [kv]=165 [batch]=38 [idle]=18 [cores]=18)
declare -A PART_SECONDS_QUICK=([rtt]=21 [msgs]=56 [conn]=15 [bulk]=24 [many]=33 [kv]=28 [batch]=6 [idle]=3 [cores]=4)

record_begin() {
	: >"$SAMPLES"
	: >"$NOTES"
	BEGAN=$SECONDS
}

record_end() {
	"$PYTHON" -B "$BENCH_DIR/report/machine.py" --after "$BENCH_OUT/machine.json" &&
		"$PYTHON" -B "$BENCH_DIR/report/summary.py" "$BENCH_OUT" --rounds "$ROUNDS" ${QUICK:+--quick} \
			--parts "${PARTS[*]}"
}

# note KIND KEY TEXT
note() {
	jq -cn --arg kind "$1" --arg key "$2" --arg text "$3" '$ARGS.named' >>"$NOTES"
	case $1 in
	fault) echo "bench: $2: $3" ;;
	esac
}

# missing REASON KEY...: these figures cannot be measured
missing() {
	local reason=$1 key
	shift
	for key; do
		note missing "$key" "$reason"
	done
}

# has_tool TOOL KEY...: false, and the keys are missing, without it
has_tool() {
	local tool=$1
	shift
	command -v "$tool" >/dev/null && return 0
	missing "$tool is not built" "$@"
	return 1
}

# sample FIGURE CONTENDER VALUE [X]
sample() {
	case $3 in
	'' | null | *[!0-9.eE+-]*)
		note fault "$1" "round $ROUND of $2 gave no number: \"$3\""
		return 1
		;;
	esac
	jq -cn --arg part "$PART" --arg figure "$1" --arg contender "$2" --argjson value "$3" --argjson x "${4:-null}" \
		--argjson round "$ROUND" '$ARGS.named' >>"$SAMPLES"
}

# samples_of_load CONTENDER X FIGURE=JQ-PATH...: from $LOAD, what ix-load printed last
samples_of_load() {
	local contender=$1 x=$2 pair
	shift 2
	# The percentiles of no messages are 0, which nobody could beat.
	jq -e '.messages > 0' <<<"$LOAD" >/dev/null || {
		note fault "$PART" "round $ROUND of $contender: no message came back"
		return 1
	}
	for pair; do
		jq -c --arg part "$PART" --arg figure "${pair%%=*}" --arg contender "$contender" --argjson x "$x" \
			--argjson round "$ROUND" '$ARGS.named + {value: '"${pair#*=}"', p99_us: .latency_us.p99, slices,
			messages: .messages, errors: .errors.sum, retransmits, rx_ring_drops, generator_busy, transmit}' \
			<<<"$LOAD" >>"$SAMPLES"
	done
}

# ---- progress

progress_part() {
	PART=$1
	PART_BEGAN=$SECONDS
}

part_seconds() {
	if [ -n "${QUICK:-}" ]; then
		echo "${PART_SECONDS_QUICK[$1]}"
	else
		echo $((PART_SECONDS[$1] * (ROUNDS + 2) / 7)) # of 5 rounds, and what does not depend on them
	fi
}

# progress TEXT: with the time that is left, as far as one can know
progress() {
	local left part is_later=
	left=$(($(part_seconds "$PART") - (SECONDS - PART_BEGAN)))
	[ $left -gt 0 ] || left=0
	for part in "${PARTS[@]}"; do
		[ -z "$is_later" ] || left=$((left + $(part_seconds "$part")))
		[ "$part" != "$PART" ] || is_later=1
	done
	printf 'bench: %d:%02d gone, about %d:%02d left: %s, %s\n' $(((SECONDS - BEGAN) / 60)) \
		$(((SECONDS - BEGAN) % 60)) $((left / 60)) $((left % 60)) "$PART" "$1"
}

# rounds NUMBER FUNCTION CONTENDER...: each contender's turn in each round; the order rotates, so that none is
# always the first
rounds() {
	local number=$1 turn=$2 index contender
	shift 2
	for ((ROUND = 1; ROUND <= number; ROUND++)); do
		progress "round $ROUND of $number"
		for ((index = 0; index < $#; index++)); do
			contender=${*:$(((index + ROUND - 1) % $# + 1)):1}
			"$turn" "$contender" || note fault "$PART" "round $ROUND of $contender failed"
			contender_down
		done
	done
	ROUND=0
}
