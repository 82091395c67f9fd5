#!/usr/bin/env bash
# Translation models before and after adversarial training, with a report.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/arguments.sh"
source "$HERE/lib/steps.sh"
source "$HERE/lib/translation_data.sh"
source "$HERE/lib/translation_systems.sh"

GENERATORS=(lstm_seq2seq_doc dbam)

usage() {
    cat <<HELP
usage: bash recipes/conditional_gan.sh [DATA] [--source L] [--target L] [--likelihood-updates N]
                                       [--gan-updates N] [--seed S] [--generators "NAME …"]
                                       [--vocabulary N] [--output FOLDER]

Trains lstm_seq2seq_doc and dbam by likelihood, then each in turns with a discriminator of (source,
target), and once more with a constant reward, the control; translates the test split greedily
before and after; writes FOLDER/report/translation_report.html, .md, .json and plots. Run again, it
skips what is done.

  DATA              a folder of Multi30k's layout: {train,val,test_2016_flickr}.{de,en}, plain or
                    .gz (valid and test are found too). Without it: the King James Bible and its
                    Basic English wording, from PyPI packages
  --source, --target  languages, as the files' endings (default: de and en; kjv and bbe without DATA)
  --likelihood-updates N  of up to 2,000 tokens (default: 400)
  --gan-updates N   in turns, of both players together, of up to 2,000 tokens (default: 100); as
                    many again train the discriminator alone before
  --seed S          seed of training and sampling (default: 1)
  --generators "…"  any of ${GENERATORS[*]} (default: all)
  --vocabulary N    joint sentencepieces (default: 8000)
  --output FOLDER   where everything goes (default: runs/conditional_gan of the project)

To start over, delete FOLDER.
HELP
}

OUTPUT="$PROJECT/runs/conditional_gan" SOURCE="" TARGET="" LIKELIHOOD=400 GAN=100 SEED=1
VOCABULARY=8000 CHOSEN="${GENERATORS[*]}" PAIRS="" TOKENS=2000
take_arguments "PAIRS --source=SOURCE --target=TARGET --likelihood-updates=LIKELIHOOD --gan-updates=GAN
    --seed=SEED --generators=CHOSEN --vocabulary=VOCABULARY --output=OUTPUT" "$@"
[ -z "$PAIRS" ] || require_folder "$PAIRS"
require_positive "$LIKELIHOOD" "$GAN" "$SEED" "$VOCABULARY"
require_distinct --generators $CHOSEN
require_known generator "${GENERATORS[*]}" $CHOSEN
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

BUDGET="$LIKELIHOOD-$GAN"

translate() { # NAME CHECKPOINT
    fairseq-generate "$DATA/bin" --user-dir "$USER_DIR" --task translation --gen-subset test \
        --path "$OUTPUT/models/$1/$2.pt" --beam 1 --max-tokens 8000 --max-len-a 1.5 --max-len-b 20 \
        --bpe sentencepiece --sentencepiece-model "$DATA/pieces.model" \
        >"$OUTPUT/translations/$1.greedy.out"
    python -m fairseq_genext.evaluation.hypotheses "$OUTPUT/translations/$1.greedy.out" \
        --expect "$(wc -l <"$DATA/test.$SOURCE")"
}

GAN_FLAGS=(
    --task conditional_gan --arch gan_seq2seq --criterion adversarial
    --optimizer two_player_adamw --lr 1e-3 --generator-turns-lr-scale 0.1 --clip-norm 1.0
    --discriminator-pretrain-updates "$GAN" --max-update $((2 * GAN))
    --eval-bleu --eval-bleu-remove-bpe sentencepiece
    --eval-bleu-args '{"beam": 1, "max_len_a": 1.5, "max_len_b": 20}'
    --best-checkpoint-metric bleu --maximize-best-checkpoint-metric
)

adversarial() { # GENERATOR KIND FLAGS …
    local generator="$1" name="$1_$2.$BUDGET.$SEED"
    shift 2
    train "$name" "$DATA/bin" "${GAN_FLAGS[@]}" --max-tokens "$TOKENS" \
        --generator-checkpoint "$OUTPUT/models/${generator}_likelihood.$BUDGET.$SEED/checkpoint_best.pt" "$@"
    # The last checkpoint: nothing is chosen by what the comparison measures.
    step "translate-$name-greedy" translate "$name" checkpoint_last
}

for generator in $CHOSEN; do
    name="${generator}_likelihood.$BUDGET.$SEED"
    system_flags "$generator"
    train "$name" "$DATA/bin" --task translation "${FLAGS[@]}" "${COMMON[@]}" \
        --max-tokens "$TOKENS" --max-update "$LIKELIHOOD" --warmup-updates $((LIKELIHOOD / 8 + 1))
    step "translate-$name-greedy" translate "$name" checkpoint_best
    adversarial "$generator" gan
    adversarial "$generator" constant --reward constant
done

write_report() {
    # shellcheck disable=SC2086
    python "$HERE/lib/conditional_gan_manifest.py" "$OUTPUT" --data "$DATA" \
        --languages "$SOURCE" "$TARGET" --generators $CHOSEN --budget "$BUDGET" --seed "$SEED" \
        --note "$LIKELIHOOD updates of likelihood, the best by validation likelihood; from there \
$GAN updates of the discriminator alone and $GAN in turns, of up to 2,000 tokens." \
        --command "$COMMAND" >"$OUTPUT/manifest.yaml"
    python -m fairseq_genext.evaluation.translation_report "$OUTPUT/manifest.yaml" \
        --output "$OUTPUT/report"
}

rm -f "$OUTPUT/.done/report" # other generators may have joined since the last time
step report write_report
cat "$OUTPUT/report/translation_report.md"
echo
echo "report: $OUTPUT/report/translation_report.html ($SECONDS s since the start)"
