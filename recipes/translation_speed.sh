#!/usr/bin/env bash
# Training speed of translation systems, read in turns.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/steps.sh"
source "$HERE/lib/translation_data.sh"
source "$HERE/lib/translation_systems.sh"

usage() {
    cat <<HELP
usage: bash recipes/translation_speed.sh [DATA] [--systems "NAME …"] [--rounds N] [--output FOLDER]

Trains each system for 50 updates of 2,000 tokens, one after the other, and again for every round;
prints target tokens per second and how many times the first system's they are, as medians over
rounds. DATA and the names as for recipes/translation.sh, whose data in FOLDER it takes up (default:
runs/translation); by default lstm_no_attention and lstm_seq2seq_doc, in 5 rounds.
HELP
}

OUTPUT="$PROJECT/runs/translation" PAIRS="" ROUNDS=5 VOCABULARY=8000
CHOSEN="lstm_no_attention lstm_seq2seq_doc"
while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h) usage && exit 0 ;;
    --output | --systems | --rounds)
        [ $# -ge 2 ] || fail "$1 needs a value; see --help"
        case "$1" in
        --output) OUTPUT="$2" ;;
        --systems) CHOSEN="$2" ;;
        --rounds) ROUNDS="$2" ;;
        esac
        shift 2
        ;;
    -*) fail "unknown argument $1; see --help" ;;
    *)
        [ -d "$1" ] || fail "$1 is not a folder; see --help"
        PAIRS="$1"
        shift
        ;;
    esac
done
[[ "$ROUNDS" =~ ^[1-9][0-9]*$ ]] || fail "$ROUNDS is not a positive whole number; see --help"
for name in $CHOSEN; do
    system_flags "$name"
done
if [ -n "$PAIRS" ]; then SOURCE=de TARGET=en; else SOURCE=kjv TARGET=bbe; fi

use_environment recipes
OUTPUT="$(mkdir -p "$OUTPUT/speed" && cd "$OUTPUT" && pwd)"
prepare_translation_data ${PAIRS:+"$PAIRS"}

for ((round = 1; round <= ROUNDS; round++)); do
    for name in $CHOSEN; do
        echo "== round $round of $ROUNDS: $name (at $SECONDS s)"
        system_flags "$name"
        fairseq-train "$DATA/bin" --user-dir "$USER_DIR" --task translation "${FLAGS[@]}" \
            "${COMMON[@]}" --warmup-updates 10 --max-tokens 2000 --max-update 50 --seed 1 --no-save \
            --disable-validation --log-format json --log-interval 10 \
            >"$OUTPUT/speed/$name.$round.log" 2>&1 ||
            fail "training failed; its log is $OUTPUT/speed/$name.$round.log"
    done
done
python "$HERE/lib/speed_table.py" "$OUTPUT/speed" --systems $CHOSEN --rounds "$ROUNDS"
