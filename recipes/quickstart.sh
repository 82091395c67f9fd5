#!/usr/bin/env bash
# From nothing to a report that compares a GPT, a GAN and two seq2seq models.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/arguments.sh"
source "$HERE/lib/steps.sh"
source "$HERE/lib/jobs.sh"
source "$HERE/lib/free_text_data.sh"
source "$HERE/lib/translation_data.sh"

usage() {
    cat <<'HELP'
usage: bash recipes/quickstart.sh [--output FOLDER] [--seed N] [--budget PERCENT] [--samples N]
                                  [--verses N]

Makes a Python environment (.venv, or takes the active one), writes two small corpora, trains
gpt_doc, gan_doc, lstm_seq2seq_doc and dbam with fairseq-train, samples and translates with
fairseq-generate, scores, and writes FOLDER/report/report.html, report.md, report.json and plots.
About 10 minutes on 2 CPU cores. Run again, it skips what is done; stopped, it resumes.

  --output FOLDER   where everything goes (default: runs/quickstart of the project)
  --seed N          seed of training and sampling (default: 1)
  --budget PERCENT  training updates, in per cent of the default (default: 100)
  --samples N       texts sampled from each system (default: 1000)
  --verses N        so many verses make the corpora, evenly spread over the Bible (default: all)

To start over, delete FOLDER.
HELP
}

OUTPUT="$PROJECT/runs/quickstart" SEED=1 BUDGET=100 SAMPLES=1000 VERSES=""
take_arguments "--output=OUTPUT --seed=SEED --budget=BUDGET --samples=SAMPLES --verses=VERSES" "$@"
require_positive "$SEED" "$BUDGET" "$SAMPLES" "${VERSES:-1}"

use_environment recipes
OUTPUT="$(mkdir -p "$OUTPUT/samples" "$OUTPUT/scores" && cd "$OUTPUT" && pwd)"
same_settings "seed $SEED, budget $BUDGET %, samples $SAMPLES, verses ${VERSES:-all}"
side_by_side

updates() { # the share of N updates that --budget asks for, at least 1
    echo $(($1 * BUDGET / 100 > 0 ? $1 * BUDGET / 100 : 1))
}

# ---------------------------------------------------------------- data
CLAUSES="$OUTPUT/data/clauses" PAIRS="$OUTPUT/data/kjv-bbe"

prepare_clauses() {
    DATA="$CLAUSES" VOCABULARY=3000
    step pieces-clauses cut_sentences
    step binarise-clauses binarise_sentences
}

prepare_pairs() {
    DATA="$PAIRS" VOCABULARY=4000 SOURCE=kjv TARGET=bbe
    step pieces-kjv-bbe cut_pairs
    step binarise-kjv-bbe binarise_pairs
}

step data python -m fairseq_genext.data.bible "$OUTPUT/data" ${VERSES:+--limit "$VERSES"}
job prepare_clauses
job prepare_pairs
finish_jobs

# ---------------------------------------------------------------- training
GPT=(
    "$CLAUSES/bin" --task unconditional_generation --arch gpt_doc_mini
    --decoder-layers 2 --decoder-embed-dim 192 --dropout 0.1
    --criterion cross_entropy --optimizer fused_adamw --weight-decay 0.1 --clip-norm 1.0
    --batch-size 64
)
GAN=(
    "$CLAUSES/bin" --task gan --arch gan_doc --criterion adversarial
    --optimizer two_player_adamw --batch-size 128
)
TRANSLATION=(
    "$PAIRS/bin" --task translation --share-all-embeddings --optimizer fused_adamw
    --clip-norm 1.0 --max-tokens 1000 --required-batch-size-multiple 1
)
GPT_UPDATES=$(updates 800)
GAN_PRETRAIN=$(updates 420)
GAN_DISCRIMINATOR=$(updates 40)
GAN_UPDATES=$((GAN_PRETRAIN + GAN_DISCRIMINATOR + $(updates 100)))
SEQ2SEQ_UPDATES=$(updates 800)
DBAM_UPDATES=$(updates 600)

# The longest first, so that no core waits at the end.
# Small batches: in one epoch, the number of updates counts more than their size.
job train dbam "${TRANSLATION[@]}" --arch dbam --encoder-embed-dim 192 --decoder-embed-dim 192 \
    --dropout 0.1 --criterion dbam --best-checkpoint-metric nll_loss \
    --lr 4e-3 --lr-scheduler cosine --warmup-updates $(updates 100) \
    --max-update "$DBAM_UPDATES" --save-interval-updates $(updates 400) --keep-interval-updates 1
# Saved at the end of the generator's pretraining, so that the table can show both parts apart.
job train gan_doc "${GAN[@]}" --lr 3e-3 --discriminator-lr 1e-4 --generator-turns-lr-scale 0.03 \
    --generator-pretrain-updates "$GAN_PRETRAIN" \
    --discriminator-pretrain-updates "$GAN_DISCRIMINATOR" --max-update "$GAN_UPDATES" \
    --save-interval-updates "$GAN_PRETRAIN" --best-checkpoint-metric sample_bleu_3 \
    --maximize-best-checkpoint-metric
job train lstm_seq2seq_doc "${TRANSLATION[@]}" --arch lstm_seq2seq_doc --rnn-cell gru --deep-output \
    --encoder-hidden-dim 128 --decoder-hidden-dim 256 --dropout 0 --criterion cross_entropy \
    --lr 4e-3 --lr-scheduler cosine --warmup-updates $(updates 100) \
    --max-update "$SEQ2SEQ_UPDATES" --save-interval-updates $(updates 400) --keep-interval-updates 1
job train gpt_doc "${GPT[@]}" --lr 3e-3 --lr-scheduler cosine --warmup-updates $(updates 100) \
    --max-update "$GPT_UPDATES" --save-interval-updates $(updates 300) --keep-interval-updates 1
# An untrained model is one update at a learning rate of zero: the same code path, no luck.
job train gpt_doc_untrained "${GPT[@]}" --lr 0 --max-update 1 --disable-validation
job train gan_doc_untrained "${GAN[@]}" --lr 0 --discriminator-lr 0 --max-update 1 \
    --disable-validation
finish_jobs

# ---------------------------------------------------------------- sampling and scoring
sample_and_score() { # NAME CHECKPOINT: samples from nothing, and held-out perplexity
    local name="$1" checkpoint="$2"
    fairseq-generate "$CLAUSES/bin" --user-dir "$USER_DIR" --task unconditional_generation \
        --path "$checkpoint" --num-samples "$SAMPLES" --sampling --beam 1 --seed "$SEED" \
        --max-len-b 40 --batch-size 250 --bpe sentencepiece \
        --sentencepiece-model "$CLAUSES/pieces.model" >"$OUTPUT/samples/$name.out"
    fairseq-eval-lm "$CLAUSES/bin" --user-dir "$USER_DIR" --task unconditional_generation \
        --path "$checkpoint" --gen-subset test --max-tokens 8000 >"$OUTPUT/scores/$name.ppl" 2>&1
}

translate() { # NAME
    fairseq-generate "$PAIRS/bin" --user-dir "$USER_DIR" --task translation \
        --path "$OUTPUT/models/$1/checkpoint_best.pt" --gen-subset test --beam 1 \
        --max-tokens 8000 --max-len-b 100 --bpe sentencepiece \
        --sentencepiece-model "$PAIRS/pieces.model" >"$OUTPUT/samples/$1.out"
}

extract_texts() {
    python -m fairseq_genext.evaluation.hypotheses --expect "$SAMPLES" \
        "$OUTPUT"/samples/{gpt_doc,gan_doc}{,_untrained}.out "$OUTPUT/samples/gan_doc_pretrained.out"
    python -m fairseq_genext.evaluation.hypotheses "$OUTPUT"/samples/{lstm_seq2seq_doc,dbam}.out \
        --expect "$(wc -l <"$PAIRS/test.kjv")"
}

unigram() {
    python -m fairseq_genext.evaluation.unigram "$CLAUSES/train.pieces" \
        "$CLAUSES/test.pieces" --samples "$OUTPUT/samples/unigram.txt" \
        --number "$SAMPLES" --seed "$SEED" >"$OUTPUT/scores/unigram.ppl"
}

MODELS="$OUTPUT/models"
PRETRAINED="$(find "$MODELS/gan_doc" -name "checkpoint_*_$GAN_PRETRAIN.pt")"
[ -n "$PRETRAINED" ] || # as fairseq saves none in the middle of training at the end of an epoch
    fail "$GAN_PRETRAIN updates are whole epochs, after which fairseq leaves a checkpoint out; give another --budget"
job step score-gpt_doc_untrained sample_and_score gpt_doc_untrained \
    "$MODELS/gpt_doc_untrained/checkpoint_last.pt"
job step score-gan_doc_untrained sample_and_score gan_doc_untrained \
    "$MODELS/gan_doc_untrained/checkpoint_last.pt"
job step score-gpt_doc sample_and_score gpt_doc "$MODELS/gpt_doc/checkpoint_best.pt"
job step score-gan_doc_pretrained sample_and_score gan_doc_pretrained "$PRETRAINED"
job step score-gan_doc sample_and_score gan_doc "$MODELS/gan_doc/checkpoint_last.pt"
job step score-unigram unigram
job step translate-lstm_seq2seq_doc translate lstm_seq2seq_doc
job step translate-dbam translate dbam
finish_jobs
step texts extract_texts

# ---------------------------------------------------------------- report
write_manifest() {
    python "$HERE/lib/quickstart_manifest.py" "$OUTPUT" --seed "$SEED" --command "$COMMAND" \
        --gan-pretrain-updates "$GAN_PRETRAIN" >"$OUTPUT/manifest.yaml"
    python -m fairseq_genext.evaluation.report "$OUTPUT/manifest.yaml" --output "$OUTPUT/report"
}

step report write_manifest
cat "$OUTPUT/report/report.md"
echo
echo "report: $OUTPUT/report/report.html ($SECONDS s since the start)"
