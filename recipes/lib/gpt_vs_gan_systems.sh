# Sourced by recipes/gpt_vs_gan.sh: what each system is, and what it may cost.
#
#   system_flags NAME [SEED]    sets FLAGS to the arguments of fairseq-train; SEED names the run of
#                               the start that a GAN begins with
#   start_of NAME               what NAME starts from; nothing for what starts from nothing
#   starts_of "NAME …"          what all of them start from, each once
#
# Uses SIZE (small or full), BUDGET (seconds) and OUTPUT.
#
# The budget is processor time, and the same for every system: BUDGET seconds of training updates.
# Likelihood systems spend all of it on likelihood. A GAN spends two thirds on a start, which is
# trained by likelihood with a schedule of its own that ends there and which GANs with the same
# generator share; a quarter of the rest on the discriminator alone, the remainder in turns. Time is
# fixed as a number of updates: milliseconds_per_update below, read once with
#
#   OMP_NUM_THREADS=1 python recipes/lib/update_times.py DATA … (a system's flags)
#
# on one core of the kind that the small budget is for, so that a busy machine trains the same model.
# Validation, saving and starting up are outside of the budget; the report has all measured seconds.
#
# Tried on BBE clauses with seed 7, on validation text alone: of the RNN's sizes, one tied layer of 336
# against one untied of 256 for the same time (6.00 and 5.93 bits a piece; the second was taken); of
# the turns, one trial each of 30 updates of G for gan_doc at 1e-4 (BLEU-3 .375 to .390, Self-BLEU-3
# .366 to .412), gan_scratchgan at 3e-4 (.373 to .366, .359 to .345; 1e-4 was taken) and gan_gpt at
# 1e-4 (.368 to .329, .369 to .348; 3e-5 was taken). All other rates,
# those of likelihood too, were set once and not tried.

SYSTEMS=(rnn_lm gpt_doc gan_doc gan_seqgan gan_maligan gan_relgan gan_scratchgan gan_gpt)
SMALL_BUDGET=120
FULL_BUDGET=7200 # of the updates' times on the CPU core, far less on a GPU

describe_budget() { # for the report
    if [ "$SIZE" = small ]; then
        echo "Budget: $BUDGET s of processor time of training updates for each system, of which a" \
            "GAN spends two thirds on its likelihood start."
    else
        echo "Budget: as many updates of larger models as the small ones do in $BUDGET s of a CPU" \
            "core, of which a GAN spends two thirds on its likelihood start. What they took is in" \
            "the table, and differs between systems."
    fi
}

start_of() {
    case "$1" in
    gan_doc | gan_seqgan | gan_maligan | gan_scratchgan) echo start_rnn ;;
    gan_relgan) echo start_relational ;;
    gan_gpt) echo start_gpt ;;
    esac
}

starts_of() {
    local name
    for name in $1; do
        start_of "$name"
    done | awk '!seen[$0]++' | tr '\n' ' '
}

# Players. Generators have about two million parameters with 3,000 pieces; full: about six.
if_small() { # SMALL FULL
    [ "$SIZE" = small ] && echo "$1" || echo "$2"
}

players() { # sets the flags of the sizes that SIZE asks for
    local width cnn
    width=$(if_small 256 576)
    LSTM=(
        --generator rnn --generator-layers 1 --generator-embed-dim "$width"
        --generator-hidden-dim "$width"
    )
    RELATIONAL=(--generator relational --generator-embed-dim 32
        --generator-hidden-dim "$(if_small 320 704)")
    GPT_WIDTH=$(if_small 192 320) GPT_LAYERS=$(if_small 3 4)
    # Small: a quarter of SeqGAN's filters, 2 turns of D instead of 15, 1 rollout instead of 16; of
    # RelGAN a quarter of the representations and filters, 1 turn of D instead of 5. On two cores the
    # published ones would leave the generators no more than a handful of turns.
    cnn=$(if_small 25,50,50,50,50,25,25,25,25,25,40,40 \
        100,200,200,200,200,100,100,100,100,100,160,160)
    SEQGAN=(--discriminator-filters "$cnn") SEQGAN_STEPS=$(if_small 2 15)
    ROLLOUTS=$(if_small 1 16)
    RELGAN=(
        --discriminator-representations "$(if_small 16 64)"
        --discriminator-filters "$(if_small 75,75,75,75 300,300,300,300)"
    )
    RELGAN_STEPS=$(if_small 1 5)
    TOKEN_JUDGE=(--discriminator-embed-dim "$(if_small 256 512)"
        --discriminator-hidden-dim "$(if_small 256 512)")
    # The point that the preset gan_scratchgan is, but with the generator of the shared start: the
    # preset ties embeddings, and no flag unties them.
    SCRATCHGAN=(
        --noise-input none --discriminator rnn --discriminator-dropout 0.1
        --gradient-estimator reinforce --reward signed --reward-discount 0.23
    )
}

# Processor milliseconds of an update, small sizes, batches of 64 sentences of 12.6 pieces.
milliseconds_per_update() { # NAME: sets LIKELIHOOD_MS, or D_MS and G_MS
    case "$1" in
    rnn_lm | start_rnn) LIKELIHOOD_MS=200 ;;
    gpt_doc | start_gpt) LIKELIHOOD_MS=200 ;;
    start_relational) LIKELIHOOD_MS=410 ;;
    gan_doc) D_MS=215 G_MS=830 ;;
    gan_seqgan) D_MS=370 G_MS=1500 ;;
    gan_maligan) D_MS=330 G_MS=390 ;;
    gan_relgan) D_MS=780 G_MS=1170 ;;
    gan_scratchgan) D_MS=430 G_MS=460 ;;
    gan_gpt) D_MS=475 G_MS=710 ;;
    esac
}

at_least() { # MINIMUM NUMBER
    echo $(($2 > $1 ? $2 : $1))
}

half_precision() { # two players cannot share one flattened tensor
    [ "$SIZE" = small ] || FLAGS+=(--fp16 --fp16-no-flatten-grads)
}

likelihood() { # THIRDS LR: appends the flags of THIRDS of the budget, all by likelihood
    local updates every
    updates=$(at_least 2 $((BUDGET * 1000 * $1 / 3 / LIKELIHOOD_MS)))
    every=$((updates / 5 + 1))
    FLAGS+=(
        --batch-size 64 --max-update "$updates" --lr "$2" --lr-scheduler cosine
        --warmup-updates $((updates / 10 + 1)) --clip-norm 1.0
        --validate-interval 1000000 --validate-interval-updates "$every"
        --save-interval 1000000 --save-interval-updates "$every" --keep-interval-updates 1
    )
    half_precision
}

language_model() { # THIRDS LR FLAG …: a generator that never meets a discriminator
    local thirds="$1" lr="$2"
    shift 2
    FLAGS=(
        --task gan --arch gan_doc --criterion adversarial --noise-input none
        --generator-dropout 0.1 "$@"
        --discriminator cnn --discriminator-embed-dim 1 --discriminator-widths 1
        --discriminator-filters 1 --generator-pretrain-updates 1000000000
        --optimizer two_player_adamw --weight-decay 0.01 --best-checkpoint-metric nll_loss
        --valid-samples 1000
    )
    likelihood "$thirds" "$lr"
}

gpt() { # THIRDS LR
    FLAGS=(
        --task unconditional_generation --arch gpt_doc_mini --decoder-layers "$GPT_LAYERS"
        --decoder-embed-dim "$GPT_WIDTH" --dropout 0.1 --criterion cross_entropy
        --optimizer fused_adamw --weight-decay 0.1
    )
    likelihood "$1" "$2"
}

gan() { # ARCH SEED STEPS LR D_LR FLAG …: STEPS of D in a round, with one of G
    local name="$1" seed="$2" steps="$3" lr="$4" own_lr="$5" third=$((BUDGET * 1000 / 3)) first round
    shift 5
    first=$(at_least 1 $((third / 4 / D_MS)))
    round=$((steps * D_MS + G_MS))
    updates=$((first + (steps + 1) * $(at_least 1 $((third * 3 / 4 / round)))))
    every=$(((updates - first) / 4 + 1))
    FLAGS=(
        --task gan --arch "$name" "$@" --criterion adversarial
        --generator-checkpoint "$OUTPUT/models/$(start_of "$name").$seed/checkpoint_best.pt"
        --generator-pretrain-updates 0 --discriminator-pretrain-updates "$first"
        --discriminator-steps "$steps" --generator-steps 1 --generator-turns-lr-scale 1
        --optimizer two_player_adamw --lr "$lr" --discriminator-lr "$own_lr" --clip-norm 1.0
        --batch-size 64 --max-update "$updates" --valid-samples 1000
        --validate-interval 1000000 --validate-interval-updates "$every"
        --save-interval 1000000 --save-interval-updates "$every" --keep-interval-updates 1
        --best-checkpoint-metric sample_bleu_3 --maximize-best-checkpoint-metric
    )
    half_precision
}

value_of() { # FLAG: its value in FLAGS
    local index
    for index in "${!FLAGS[@]}"; do
        [ "${FLAGS[index]}" != "$1" ] || echo "${FLAGS[index + 1]}"
    done
}

system_flags() { # NAME [SEED]
    local seed="${2:-}"
    players
    milliseconds_per_update "$1"
    case "$1" in
    rnn_lm) language_model 3 4e-3 "${LSTM[@]}" ;;
    start_rnn) language_model 2 4e-3 "${LSTM[@]}" ;;
    start_relational) language_model 2 2e-3 "${RELATIONAL[@]}" ;;
    gpt_doc) gpt 3 3e-3 ;;
    start_gpt) gpt 2 3e-3 ;;
    gan_doc) gan gan_doc "$seed" 1 1e-4 1e-4 "${LSTM[@]}" ;;
    gan_seqgan)
        gan gan_seqgan "$seed" "$SEQGAN_STEPS" 1e-4 1e-3 "${LSTM[@]}" "${SEQGAN[@]}" \
            --rollouts "$ROLLOUTS" --reward-baseline others
        ;;
    gan_maligan) gan gan_maligan "$seed" "$SEQGAN_STEPS" 1e-4 1e-3 "${LSTM[@]}" "${SEQGAN[@]}" ;;
    gan_relgan) # the temperature falls over the turns there are, not over 5,000 rounds
        gan gan_relgan "$seed" "$RELGAN_STEPS" 1e-4 1e-4 "${RELATIONAL[@]}" "${RELGAN[@]}"
        FLAGS+=(--gumbel-anneal-updates "$(($(value_of --max-update) - \
            $(value_of --discriminator-pretrain-updates)))")
        ;;
    gan_scratchgan)
        gan gan_doc "$seed" 1 1e-4 1e-3 "${LSTM[@]}" "${SCRATCHGAN[@]}" "${TOKEN_JUDGE[@]}" \
            --reward-baseline moving
        ;;
    gan_gpt)
        gan gan_gpt "$seed" 1 3e-5 1e-3 --generator-layers "$GPT_LAYERS" \
            --generator-embed-dim "$GPT_WIDTH" --generator-hidden-dim $((4 * GPT_WIDTH)) \
            "${TOKEN_JUDGE[@]}"
        ;;
    esac
}
