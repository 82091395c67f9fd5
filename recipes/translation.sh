#!/usr/bin/env bash
# Translation systems side by side, with a report.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/arguments.sh"
source "$HERE/lib/steps.sh"
source "$HERE/lib/translation_data.sh"
source "$HERE/lib/translation_systems.sh"

usage() {
    cat <<HELP
usage: bash recipes/translation.sh [DATA] [--source L] [--target L] [--budget B] [--seeds "1 2 …"]
                                   [--systems "NAME …"] [--ablation B] [--vocabulary N]
                                   [--output FOLDER]

Trains fairseq's lstm and transformer, dbam, and two systems without attention, fairseq's and ours,
at equal numbers of parameters, updates and tokens; translates greedily and with a beam of 5; writes
FOLDER/report/translation_report.html, .md, .json and plots. Run again, it skips what is done.

  DATA              a folder of Multi30k's layout: {train,val,test_2016_flickr}.{de,en}, plain or
                    .gz (valid and test are found too). Without it: the King James Bible and its
                    Basic English wording, from PyPI packages
  --source, --target  languages, as the files' endings (default: de and en; kjv and bbe without DATA)
  --budget B        small: 800 updates of 2,000 tokens (about half an hour on 2 CPU cores);
                    full: 12,000 updates of 4,096 tokens, for a GPU; or a number of updates of
                    2,000 tokens (default: small)
  --seeds "N …"     a run of every system for each (default: 1)
  --systems "…"     any of ${SYSTEMS[*]} (default: all)
  --ablation B      also train dbam without each of its parts for B updates, with the first seed
  --vocabulary N    joint sentencepieces (default: 8000)
  --output FOLDER   where everything goes (default: runs/translation of the project)

To start over, delete FOLDER.
HELP
}

OUTPUT="$PROJECT/runs/translation" SOURCE="" TARGET="" BUDGET=small SEEDS=1 ABLATION="" VOCABULARY=8000
CHOSEN="${SYSTEMS[*]}" PAIRS=""
take_arguments "PAIRS --source=SOURCE --target=TARGET --budget=BUDGET --seeds=SEEDS --systems=CHOSEN
    --ablation=ABLATION --vocabulary=VOCABULARY --output=OUTPUT" "$@"
[ -z "$PAIRS" ] || require_folder "$PAIRS"
case "$BUDGET" in
small) UPDATES=800 TOKENS=2000 ;;
full) UPDATES=12000 TOKENS=4096 ;;
*) UPDATES="$BUDGET" TOKENS=2000 ;;
esac
require_positive "$UPDATES" "$VOCABULARY" "${ABLATION:-1}" $SEEDS
require_distinct --seeds $SEEDS
require_distinct --systems $CHOSEN
require_known system "${SYSTEMS[*]}" $CHOSEN
if [ -n "$PAIRS" ]; then
    : "${SOURCE:=de}" "${TARGET:=en}"
    for language in "$SOURCE" "$TARGET"; do
        find_split "$PAIRS" "$language" train >/dev/null
    done
else
    : "${SOURCE:=kjv}" "${TARGET:=bbe}"
fi

use_environment recipes
OUTPUT="$(mkdir -p "$OUTPUT/translations" && cd "$OUTPUT" && pwd)"
prepare_translation_data ${PAIRS:+"$PAIRS"}

translate() { # MODEL DECODING BEAM
    fairseq-generate "$DATA/bin" --user-dir "$USER_DIR" --task translation --gen-subset test \
        --path "$OUTPUT/models/$1/checkpoint_best.pt" --beam "$3" --max-tokens 8000 \
        --max-len-a 1.5 --max-len-b 20 --bpe sentencepiece \
        --sentencepiece-model "$DATA/pieces.model" >"$OUTPUT/translations/$1.$2.out"
    python -m fairseq_genext.evaluation.hypotheses "$OUTPUT/translations/$1.$2.out" \
        --expect "$(wc -l <"$DATA/test.$SOURCE")"
}

train_and_translate() { # SYSTEM SEED UPDATES
    local name="$1.$3.$2"
    system_flags "$1"
    SEED="$2" train "$name" "$DATA/bin" --task translation "${FLAGS[@]}" "${COMMON[@]}" \
        --max-tokens "$TOKENS" --max-update "$3" --warmup-updates $(($3 / 8 + 1))
    step "translate-$name-greedy" translate "$name" greedy 1
    step "translate-$name-beam" translate "$name" beam 5
}

TABLES=(--table "Systems" lstm "$UPDATES" "$SEEDS" "$CHOSEN")
for seed in $SEEDS; do
    for name in $CHOSEN; do
        train_and_translate "$name" "$seed" "$UPDATES"
    done
done
if [ -n "$ABLATION" ]; then
    for name in "${ABLATIONS[@]}"; do
        train_and_translate "$name" "${SEEDS%% *}" "$ABLATION"
    done
    TABLES+=(--table "What each part of DBAM brings" dbam "$ABLATION" "${SEEDS%% *}"
        "${ABLATIONS[*]}")
fi

write_report() {
    python "$HERE/lib/translation_manifest.py" "$OUTPUT" --data "$DATA" --languages "$SOURCE" \
        "$TARGET" --tokens "$TOKENS" --command "$COMMAND" "${TABLES[@]}" >"$OUTPUT/manifest.yaml"
    python -m fairseq_genext.evaluation.translation_report "$OUTPUT/manifest.yaml" \
        --output "$OUTPUT/report"
}

rm -f "$OUTPUT/.done/report" # other systems or seeds may have joined since the last time
step report write_report
cat "$OUTPUT/report/translation_report.md"
echo
echo "report: $OUTPUT/report/translation_report.html ($SECONDS s since the start)"
