#!/usr/bin/env bash
# Speed of adversarial training at SeqGAN's settings, in turns with a public framework.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/environment.sh"
source "$HERE/lib/arguments.sh"
source "$HERE/lib/steps.sh"

usage() {
    cat <<HELP
usage: bash recipes/gan_speed.sh [PEER] [--rounds N] [--sentences N] [--output FOLDER]

Times gan_seqgan's discriminator pass (2 epochs over N real sequences and as many generated ones,
default 10,000) and generator step (batch 64, length 20, 16 rollouts), and likelihood pretraining;
prints medians over rounds (default: 3) and writes them to FOLDER/gan_speed.json (default:
runs/gan_speed). PEER is a checkout of TextGAN-PyTorch (git clone
https://github.com/williamSYSU/TextGAN-PyTorch), whose SeqGAN then does the same work in turns with
ours. OMP_NUM_THREADS sets the threads of both. On two cores a round takes one minute, with PEER three.
HELP
}

OUTPUT="$PROJECT/runs/gan_speed" PEER="" ROUNDS=3 SENTENCES=10000
take_arguments "PEER --rounds=ROUNDS --sentences=SENTENCES --output=OUTPUT" "$@"
if [ -n "$PEER" ]; then
    [ -f "$PEER/models/SeqGAN_G.py" ] ||
        fail "$PEER is not a checkout of TextGAN-PyTorch; see --help"
    PEER="$(cd "$PEER" && pwd)"
fi
require_positive "$ROUNDS" "$SENTENCES"
[ "$SENTENCES" -ge 64 ] || fail "--sentences $SENTENCES is less than a batch of 64"

use_environment recipes
OUTPUT="$(mkdir -p "$OUTPUT" && cd "$OUTPUT" && pwd)"
DATA="$OUTPUT/oracle-$SENTENCES"
step "oracle-$SENTENCES" python -m fairseq_genext.data.oracle "$DATA" --train "$SENTENCES" \
    --held-out 64
step "binarise-$SENTENCES" fairseq-preprocess --only-source --trainpref "$DATA/train.txt" \
    --srcdict "$DATA/dict.txt" --destdir "$DATA/bin"
python "$HERE/lib/gan_speed.py" "$DATA/bin" --sentences "$SENTENCES" --rounds "$ROUNDS" \
    ${PEER:+--peer "$PEER"} --output "$OUTPUT/gan_speed.json"
