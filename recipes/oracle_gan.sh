#!/usr/bin/env bash
# The synthetic benchmark of the text-GAN papers, from nothing to a report.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/arguments.sh"
source "$HERE/lib/steps.sh"
source "$HERE/lib/jobs.sh"
source "$HERE/lib/oracle_systems.sh"

usage() {
    cat <<HELP
usage: bash recipes/oracle_gan.sh [WEIGHTS.npz] [--length N] [--seeds "1 2 …"] [--systems "NAME …"]
                                  [--budget small|full] [--jobs N] [--samples N] [--output FOLDER]

An LSTM with random weights (5,000 words, width 32, N(0,1); or WEIGHTS.npz, 15 arrays in SeqGAN's
order) writes 10,000 sequences. A generator learns them by likelihood, in SeqGAN's setting and in one
tuned on held-out likelihood; from there published GANs train adversarially, beside a control whose
reward is constant. Every system is placed by NLL_oracle and NLL_test, the likelihood models at every
temperature; OUTPUT/report has oracle_report.html, .md, .json and plots. Run again, it skips what is
done; stopped, it resumes.

  --length N        words of a sequence (default: 20; the papers also have 40)
  --seeds "N …"     seeds of training and sampling, under one oracle (default: 1 2 3)
  --systems "…"     any of ${ADVERSARIAL[*]} (default: ${DEFAULT_SYSTEMS[*]})
  --budget B        small: $SMALL_ROUNDS rounds of turns (gan_relgan: $SMALL_RELGAN_ROUNDS) with 5 discriminator updates
                    each, for 2 CPU cores; full: 200 rounds with the presets' own, for a GPU
                    (default: small)
  --jobs N          trainings side by side, a thread each (default: the number of cores)
  --samples N       sequences drawn from each system to measure it (default: 10000)
  --output FOLDER   where everything goes (default: runs/oracle_gan of the project)

To start over, delete FOLDER.
HELP
}

OUTPUT="$PROJECT/runs/oracle_gan" WEIGHTS="" LENGTH=20 SEEDS="1 2 3" BUDGET=small SAMPLES=10000
CHOSEN="${DEFAULT_SYSTEMS[*]}" JOBS_WANTED=""
take_arguments "WEIGHTS --length=LENGTH --seeds=SEEDS --systems=CHOSEN --budget=BUDGET --jobs=JOBS_WANTED
    --samples=SAMPLES --output=OUTPUT" "$@"
if [ -n "$WEIGHTS" ]; then
    [ -f "$WEIGHTS" ] || fail "$WEIGHTS is not a file; see --help"
    WEIGHTS="$(cd "$(dirname "$WEIGHTS")" && pwd)/$(basename "$WEIGHTS")"
fi
require_positive "$LENGTH" "${JOBS_WANTED:-1}" "$SAMPLES" $SEEDS
require_distinct --seeds $SEEDS
require_distinct --systems $CHOSEN
require_known system "${ADVERSARIAL[*]}" $CHOSEN
budget_flags "$BUDGET"

use_environment recipes
OUTPUT="$(mkdir -p "$OUTPUT/planes" && cd "$OUTPUT" && pwd)"
same_settings "length $LENGTH, budget $BUDGET, samples $SAMPLES, weights ${WEIGHTS:-random}"
side_by_side $JOBS_WANTED

write_oracle() {
    python -m fairseq_genext.data.oracle "$OUTPUT/oracle" --length "$LENGTH" \
        ${WEIGHTS:+--weights "$WEIGHTS"} ${SIZES[@]+"${SIZES[@]}"}
}

binarise() {
    rm -rf "$OUTPUT/oracle/bin" # of a run that was stopped here
    fairseq-preprocess --only-source --srcdict "$OUTPUT/oracle/dict.txt" \
        --destdir "$OUTPUT/oracle/bin" --trainpref "$OUTPUT/oracle/train.txt" \
        --validpref "$OUTPUT/oracle/valid.txt" --testpref "$OUTPUT/oracle/test.txt"
}

train_on_oracle() { # NAME ARGUMENTS …
    local name="$1"
    shift
    train "$name" "$OUTPUT/oracle/bin" --task gan --criterion adversarial --fixed-length \
        --max-sample-length "$LENGTH" --oracle "$OUTPUT/oracle/oracle.npz" \
        --optimizer two_player_adamw --clip-norm 5 --batch-size 64 --valid-samples 1000 "$@"
}

likelihood() { # SYSTEM SEED
    likelihood_flags "$1"
    SEED="$2" train_on_oracle "$1.$2" "${FLAGS[@]}"
}

adversarial() { # SYSTEM SEED
    local start=()
    system_flags "$1"
    if [ -n "$START" ]; then
        await "train-$START.$2"
        start=(--generator-checkpoint "$OUTPUT/models/$START.$2/checkpoint_best.pt")
    fi
    SEED="$2" train_on_oracle "$1.$2" "${FLAGS[@]}" ${start[@]+"${start[@]}"} \
        --generator-pretrain-updates 0 --save-interval 1000000 --validate-interval 1000000 \
        --best-checkpoint-metric sample_oracle_nll
}

place() { # SEED: every system in the plane, the likelihood models at every temperature
    local name curves=() points=()
    for name in $STARTS; do
        curves+=("$name=$OUTPUT/models/$name.$1/checkpoint_best.pt")
    done
    for name in $CHOSEN; do
        points+=("$name=$OUTPUT/models/$name.$1/checkpoint_best.pt")
    done
    python -m fairseq_genext.evaluation.oracle_plane "$OUTPUT/oracle/bin" \
        --oracle "$OUTPUT/oracle/oracle.npz" --curves "${curves[@]}" --points "${points[@]}" \
        --temperatures 1.2 1.0 0.9 0.8 0.7 0.6 0.5 0.4 --num-samples "$SAMPLES" --seed "$1" \
        --output "$OUTPUT/planes/$1.json"
}

write_report() {
    local name systems=()
    for name in $CHOSEN; do # unquoted: no start is no argument
        # shellcheck disable=SC2046
        systems+=(--system "$name" $(start_of "$name"))
    done
    python "$HERE/lib/oracle_manifest.py" "$OUTPUT" --command "$COMMAND" --budget "$BUDGET" \
        --length "$LENGTH" ${WEIGHTS:+--weights "$(basename "$WEIGHTS")"} \
        --seeds $SEEDS --starts $STARTS \
        "${systems[@]}" >"$OUTPUT/manifest.yaml"
    python -m fairseq_genext.evaluation.oracle_report "$OUTPUT/manifest.yaml" \
        --output "$OUTPUT/report"
}

step oracle write_oracle
step binarise binarise
STARTS="$(starts_of $CHOSEN)"
for seed in $SEEDS; do
    for name in $STARTS; do
        job likelihood "$name" "$seed"
    done
done
for seed in $SEEDS; do
    for name in $CHOSEN; do
        job adversarial "$name" "$seed"
    done
done
finish_jobs
for seed in $SEEDS; do # measured anew where other systems have joined since the last time
    job step "place-$seed-${CHOSEN// /+}" place "$seed"
done
finish_jobs
rm -f "$OUTPUT/.done/report"
step report write_report
cat "$OUTPUT/report/oracle_report.md"
echo
echo "report: $OUTPUT/report/oracle_report.html ($SECONDS s since the start)"
