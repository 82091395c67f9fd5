#!/usr/bin/env bash
# Training speed of translation systems, read in turns.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/arguments.sh"
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
take_arguments "PAIRS --systems=CHOSEN --rounds=ROUNDS --output=OUTPUT" "$@"
[ -z "$PAIRS" ] || require_folder "$PAIRS"
require_positive "$ROUNDS"
require_distinct --systems $CHOSEN
require_known system "${SYSTEMS[*]}" $CHOSEN
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
