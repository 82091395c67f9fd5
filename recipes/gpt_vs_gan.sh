#!/usr/bin/env bash
# Language models and GANs at one compute budget and one size, with a report.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/arguments.sh"
source "$HERE/lib/steps.sh"
source "$HERE/lib/jobs.sh"
source "$HERE/lib/free_text_data.sh"
: "${JUDGE_UPDATES:=200}" # a judge of a thousand samples reads each about a dozen times
source "$HERE/lib/judges.sh"
source "$HERE/lib/gpt_vs_gan_systems.sh"

usage() {
    cat <<HELP
usage: bash recipes/gpt_vs_gan.sh [DATA] [--budget B] [--seeds "1 2 …"] [--systems "NAME …"]
                                  [--jobs N] [--samples N] [--vocabulary N] [--train-only]
                                  [--output FOLDER]

Trains an RNN language model, gpt_doc and GANs, each for the same processor time and with about the
same number of parameters in the generator; samples all of them, and what the GANs started from, at
several temperatures; measures quality, diversity and likelihood; writes FOLDER/report/ with mean and
deviation over the seeds. Run again, it skips what is done; stopped, it resumes.

  DATA              a folder with train.txt, test.txt and, if there is one, valid.txt, a sentence a
                    line. Without it: clauses of the Bible in Basic English, from PyPI packages
  --budget B        small: $SMALL_BUDGET s of processor time a system (the whole recipe takes under an hour on
                    2 CPU cores); full: larger models and the published discriminators, with as
                    many updates as the small models do in $FULL_BUDGET s of a core, for a GPU;
                    or a number of seconds with the small models (default: small)
  --seeds "N …"     a run of every system for each (default: "1 2 3")
  --systems "…"     any of ${SYSTEMS[*]}
                    (default: all)
  --jobs N          steps that run side by side, each with one thread (default: the number of
                    cores; with --budget full 1)
  --samples N       texts sampled from each system at each temperature (default: 1000)
  --vocabulary N    sentencepieces (default: 3000)
  --train-only      stop after the trainings
  --output FOLDER   where everything goes (default: runs/gpt_vs_gan of the project)

To start over, delete FOLDER.
HELP
}

OUTPUT="$PROJECT/runs/gpt_vs_gan" BUDGET=small SEEDS="1 2 3" CHOSEN="${SYSTEMS[*]}" SAMPLES=1000
VOCABULARY=3000 TRAIN_ONLY="" TEXTS="" JOBS_WANTED=""
take_arguments "TEXTS --budget=BUDGET --seeds=SEEDS --systems=CHOSEN --jobs=JOBS_WANTED
    --samples=SAMPLES --vocabulary=VOCABULARY --train-only+TRAIN_ONLY --output=OUTPUT" "$@"
if [ -n "$TEXTS" ]; then
    require_folder "$TEXTS"
    for split in train test; do
        [ -f "$TEXTS/$split.txt" ] || fail "$TEXTS has no $split.txt; see --help"
    done
    TEXTS="$(cd "$TEXTS" && pwd)"
fi
SIZE=small
case "$BUDGET" in
small) BUDGET=$SMALL_BUDGET ;;
full) BUDGET=$FULL_BUDGET SIZE=full ;;
esac
require_positive "$BUDGET" "$SAMPLES" "$VOCABULARY" "${JOBS_WANTED:-1}" $SEEDS
require_distinct --seeds $SEEDS
require_distinct --systems $CHOSEN
[ "$SAMPLES" -ge 2 ] || fail "--samples is $SAMPLES; at least 2 are needed to measure them"
require_known system "${SYSTEMS[*]}" $CHOSEN

use_environment recipes
OUTPUT="$(mkdir -p "$OUTPUT" && cd "$OUTPUT" && pwd)"
same_settings \
    "budget $BUDGET $SIZE, samples $SAMPLES, vocabulary $VOCABULARY, data ${TEXTS:-clauses}"
if [ "$SIZE" = small ]; then
    side_by_side $JOBS_WANTED
else # one GPU
    side_by_side "${JOBS_WANTED:-1}"
fi

prepare_free_text ${TEXTS:+"$TEXTS"}

# ---------------------------------------------------------------- training
STARTS="$(starts_of "$CHOSEN")"
EVERY="$STARTS $CHOSEN" # in the order of training: what others start from comes first

train_system() { # NAME SEED
    local start
    start="$(start_of "$1")"
    [ -z "$start" ] || await "train-$start.$2"
    system_flags "$1" "$2"
    SEED="$2" train "$1.$2" "$DATA/bin" "${FLAGS[@]}"
}

for seed in $SEEDS; do
    for name in $EVERY; do
        job train_system "$name" "$seed"
    done
done
finish_jobs
[ -z "$TRAIN_ONLY" ] || {
    echo "trained: $OUTPUT/models ($SECONDS s since the start)"
    exit 0
}

# ---------------------------------------------------------------- sampling and scoring
JUDGE_DATA="$DATA/bin" JUDGE_PIECES="$DATA/pieces.model"

checkpoint_of() { # NAME SEED: GANs have no loss to choose by, so their last one
    case "$1" in
    gan_*) echo "$OUTPUT/models/$1.$2/checkpoint_last.pt" ;;
    *) echo "$OUTPUT/models/$1.$2/checkpoint_best.pt" ;;
    esac
}

held_out_likelihood() { # NAME SEED
    fairseq-eval-lm "$DATA/bin" --user-dir "$USER_DIR" --task unconditional_generation \
        --path "$(checkpoint_of "$1" "$2")" --gen-subset test --max-tokens 8000 \
        >"$OUTPUT/scores/$1.$2.ppl" 2>&1
}

sample_everything() { # SEED
    local name checkpoints=()
    for name in $EVERY; do
        checkpoints+=("$name=$(checkpoint_of "$name" "$1")")
    done
    python -m fairseq_genext.evaluation.sweep "$DATA/bin" --checkpoints "${checkpoints[@]}" \
        --references "$DATA/test.txt" --anchor "$DATA/valid.txt" --train "$DATA/train.txt" \
        --temperatures 0.6 0.8 1.0 1.2 --top-p 0.9 --num-samples "$SAMPLES" --max-length 40 \
        --batch-size 250 --seed "$1" --sentencepiece-model "$DATA/pieces.model" \
        --output "$OUTPUT/sweeps/$1"
    mkdir -p "$OUTPUT/samples/$1"
    for name in $EVERY; do # a file's name is its column's
        cp "$OUTPUT/sweeps/$1/$name/t1.00.txt" "$OUTPUT/samples/$1/$name.txt"
    done
}

score_samples() { # SEED: reverse judges, one a system, with the first seed only
    local name samples=() reverse=()
    for name in $EVERY; do
        samples+=("$OUTPUT/samples/$1/$name.txt")
        reverse+=("$OUTPUT/models/judge-$name/checkpoint_last.pt")
    done
    [ "$1" = "${SEEDS%% *}" ] && reverse=(--reverse-judges "${reverse[@]}") || reverse=()
    genext-evaluate "${samples[@]}" --references "$DATA/test.txt" --train "$DATA/train.txt" \
        --judge "$OUTPUT/models/judge-real/checkpoint_last.pt" "${reverse[@]}" \
        --judge-data "$JUDGE_DATA" --pieces "$JUDGE_PIECES" --json "$OUTPUT/scores/$1.json"
}

step_names() { # PREFIX SUFFIX: of every system
    local name
    for name in $EVERY; do
        echo "$1$name$2"
    done
}

judge() { # NAME TEXT [STEP]: STEP makes the text
    [ $# -lt 3 ] || await "$3"
    SEED=1 train_judge "$1" "$2"
}

score_seed() { # SEED
    local seed="$1" judges=(train-judge-real)
    [ "$seed" != "${SEEDS%% *}" ] || mapfile -t -O 1 judges < <(step_names train-judge- "")
    await "sweep-$seed" "${judges[@]}"
    step "score-$seed" score_samples "$seed"
}

mkdir -p "$OUTPUT/scores"
for seed in $SEEDS; do # systems that joined since the last time are sampled and scored with the others
    for name in $EVERY; do
        [ -e "$OUTPUT/samples/$seed/$name.txt" ] || rm -f "$OUTPUT/.done/"{sweep,score}-"$seed"
    done
done
job judge real "$DATA/valid.txt"
for seed in $SEEDS; do
    job step "sweep-$seed" sample_everything "$seed"
done
for name in $EVERY; do
    for seed in $SEEDS; do
        job step "likelihood-$name.$seed" held_out_likelihood "$name" "$seed"
    done
    job judge "$name" "$OUTPUT/samples/${SEEDS%% *}/$name.txt" "sweep-${SEEDS%% *}"
done
for seed in $SEEDS; do
    job score_seed "$seed"
done
finish_jobs

# ---------------------------------------------------------------- report
write_report() {
    local name systems=()
    for name in $EVERY; do # unquoted: no start is no argument
        # shellcheck disable=SC2046
        systems+=(--system "$name" $(start_of "$name"))
    done
    python "$HERE/lib/gpt_vs_gan_manifest.py" "$OUTPUT" --data "$DATA" --seeds "$SEEDS" \
        "${systems[@]}" --budget "$(describe_budget)" --samples "$SAMPLES" --command "$COMMAND" \
        >"$OUTPUT/manifest.yaml"
    python -m fairseq_genext.evaluation.comparison "$OUTPUT/manifest.yaml" --output "$OUTPUT/report"
}

rm -f "$OUTPUT/.done/report" # other systems or seeds may have joined since the last time
step report write_report
cat "$OUTPUT"/report/*.md
echo
echo "report: $OUTPUT/report ($SECONDS s since the start)"
