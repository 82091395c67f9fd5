# Sourced by recipes/oracle_gan.sh: what each system is and how long it trains.
#
#   likelihood_flags NAME    FLAGS of a likelihood-trained start
#   system_flags NAME        FLAGS of an adversarial system, and START, what its turns begin from
#   starts_of NAME …         the likelihood-trained models that systems need
#   budget_flags NAME        the sizes that a budget fixes
#
# The generator of gan_seqgan and gan_maligan is trained by likelihood in two ways: `mle` as SeqGAN
# does, without dropout, until NLL_oracle gets no better (by then it has begun to learn its training
# text by heart), and `mle_tuned`, whose dropout was chosen by held-out likelihood among 0, 0.3 and 0.5.

ADVERSARIAL=(
    gan_seqgan gan_seqgan_constant gan_maligan gan_relgan gan_doc gan_gpt gan_scratchgan
)
DEFAULT_SYSTEMS=(gan_seqgan gan_seqgan_constant gan_maligan)
SMALL_ROUNDS=60
SMALL_RELGAN_ROUNDS=120 # so that its temperature falls slowly enough for it to learn on the way

budget_flags() {
    SIZES=()
    case "$1" in
    tiny) # for tests
        ROUNDS=2 DISCRIMINATOR_STEPS=1 DISCRIMINATOR_PRETRAIN=2 EPOCHS=2 RELATIONAL_EPOCHS=1 GPT_EPOCHS=1
        RELATIONAL_ROUNDS=2 RELATIONAL_RATE=1e-3
        SIZES=(--vocabulary 30 --dim 4 --train 200 --held-out 50)
        ;;
    small)
        ROUNDS=$SMALL_ROUNDS DISCRIMINATOR_STEPS=5 DISCRIMINATOR_PRETRAIN=200 EPOCHS=25
        RELATIONAL_EPOCHS=4 GPT_EPOCHS=10 RELATIONAL_ROUNDS=$SMALL_RELGAN_ROUNDS RELATIONAL_RATE=1e-3
        ;;
    full)
        ROUNDS=200 DISCRIMINATOR_STEPS="" DISCRIMINATOR_PRETRAIN=2000 EPOCHS=120
        RELATIONAL_EPOCHS=120 GPT_EPOCHS=120 RELATIONAL_ROUNDS=200 RELATIONAL_RATE=1e-4
        ;;
    *) fail "there is no budget $1; choose small or full, see --help" ;;
    esac
}

# Its discriminator learns nothing and is there because the architecture has one.
IDLE_DISCRIMINATOR=(--discriminator cnn --discriminator-widths 1 --discriminator-filters 1)

likelihood_flags() {
    local epochs="$EPOCHS"
    FLAGS=(
        --generator-pretrain-updates 1000000 --lr 0.01 "${IDLE_DISCRIMINATOR[@]}"
        --best-checkpoint-metric sample_oracle_nll --patience 4
    )
    case "$1" in
    mle) FLAGS+=(--arch gan_seqgan) ;;
    mle_tuned)
        FLAGS+=(--arch gan_seqgan --generator-dropout 0.3 --best-checkpoint-metric nll_loss)
        ;;
    mle_relational)
        FLAGS+=(--arch gan_relgan)
        epochs="$RELATIONAL_EPOCHS"
        ;;
    mle_doc) FLAGS+=(--arch gan_doc --lr 0.003) ;;
    mle_gpt)
        FLAGS+=(--arch gan_gpt --lr 0.001)
        epochs="$GPT_EPOCHS"
        ;;
    esac
    FLAGS+=(--max-epoch "$epochs")
}

start_of() { # NAME: the likelihood-trained model that an adversarial system begins from
    case "$1" in
    gan_seqgan | gan_seqgan_constant | gan_maligan) echo mle ;;
    gan_relgan) echo mle_relational ;;
    gan_doc) echo mle_doc ;;
    gan_gpt) echo mle_gpt ;;
    gan_scratchgan) ;; # begins from random weights
    esac
}

starts_of() {
    local name
    { echo mle && echo mle_tuned && for name in "$@"; do start_of "$name"; done; } |
        awk 'NF && !seen[$0]++' | tr '\n' ' '
}

system_flags() {
    local steps=1 rounds="$ROUNDS" pretrain="$DISCRIMINATOR_PRETRAIN" last every
    START="$(start_of "$1")"
    # The papers' rates, for gan_gpt gan_doc's; but RelGAN's generator learns faster with the small
    # budget, as so few updates at 1e-4 would change nothing.
    FLAGS=(--arch "${1%_constant}" --generator-turns-lr-scale 1)
    case "$1" in
    gan_seqgan | gan_maligan)
        FLAGS+=(--lr 0.01 --discriminator-lr 1e-4)
        steps="${DISCRIMINATOR_STEPS:-15}"
        ;;
    gan_seqgan_constant) # no rollouts: every token earns 1, whatever the idle discriminator says
        FLAGS+=(--lr 0.01 --reward constant --rollouts 0)
        pretrain=0
        ;;
    gan_relgan)
        FLAGS+=(--lr "$RELATIONAL_RATE" --discriminator-lr 1e-4)
        steps=5 rounds="$RELATIONAL_ROUNDS" pretrain=0
        ;;
    gan_scratchgan)
        FLAGS+=(--lr 1e-4 --discriminator-lr 9.4e-3)
        pretrain=0
        ;;
    gan_doc | gan_gpt) FLAGS+=(--lr 1e-4 --discriminator-lr 1e-4) ;;
    esac
    [ "$BUDGET" != tiny ] || steps=1
    last=$((pretrain + (steps + 1) * rounds))
    every=$(((steps + 1) * rounds / 10 + 1)) # saved as often as judged, or the best would be lost
    FLAGS+=(
        --discriminator-pretrain-updates "$pretrain" --discriminator-steps "$steps"
        --validate-interval-updates "$every" --save-interval-updates "$every"
        --keep-interval-updates 1 --max-update "$last"
    )
    # RelGAN's temperature falls over the turns there are.
    [ "$1" != gan_relgan ] || FLAGS+=(--gumbel-anneal-updates "$last")
}
