# Sourced by recipes that compare translation systems: what each system is.
#
#   system_flags NAME    sets FLAGS to the architecture, criterion and learning rate of a system
#
# With 8,000 joint pieces all have about 4.4 million parameters, and the two without attention 4.1.
# Two million are one table of embeddings for both sides and the output layer, except in
# lstm_seq2seq_doc, which has a wide table for the source and a narrow one for the target.
# Rates and dropout were chosen by validation loss on Multi30k de-en.

SYSTEMS=(lstm dbam transformer lstm_no_attention lstm_seq2seq_doc)
ABLATIONS=(dbam dbam_single_attention dbam_no_timing_signal dbam_no_modulation
    dbam_one_modulation_decoder dbam_no_arlm_loss)

COMMON=(
    --optimizer fused_adamw --clip-norm 1.0 --lr-scheduler cosine
    --best-checkpoint-metric nll_loss
)
SMOOTHED=(--criterion label_smoothed_cross_entropy --label-smoothing 0.1)
LSTM=(
    --arch lstm --share-all-embeddings --encoder-embed-dim 256 --encoder-hidden-size 256
    --encoder-bidirectional --decoder-embed-dim 256 --decoder-hidden-size 256
    --decoder-out-embed-dim 256
)
DBAM=(
    --arch dbam --share-all-embeddings --encoder-embed-dim 244 --decoder-embed-dim 244
    --dropout 0.2 --criterion dbam --label-smoothing 0.1 --arlm-loss-weight 0.02 --lr 2e-3
)

system_flags() {
    case "$1" in
    lstm) FLAGS=("${LSTM[@]}" "${SMOOTHED[@]}" --dropout 0.3 --lr 4e-3) ;;
    lstm_no_attention)
        FLAGS=("${LSTM[@]}" --decoder-attention 0 "${SMOOTHED[@]}" --dropout 0.3 --lr 4e-3)
        ;;
    lstm_seq2seq_doc) # narrow target words: the softmax takes most of the time
        FLAGS=(
            --arch lstm_seq2seq_doc --encoder-embed-dim 192 --encoder-hidden-dim 176
            --decoder-embed-dim 128 --decoder-hidden-dim 256 --share-decoder-input-output-embed
            --deep-output --dropout 0.2 "${SMOOTHED[@]}" --lr 4e-3
        )
        ;;
    transformer)
        FLAGS=(
            --arch transformer --share-all-embeddings --encoder-layers 3 --decoder-layers 3
            --encoder-embed-dim 208 --encoder-ffn-embed-dim 480 --encoder-attention-heads 4
            --decoder-embed-dim 208 --decoder-ffn-embed-dim 480 --decoder-attention-heads 4
            --dropout 0.3 "${SMOOTHED[@]}" --lr 2e-3
        )
        ;;
    dbam) FLAGS=("${DBAM[@]}") ;;
    dbam_single_attention) FLAGS=("${DBAM[@]}" --single-attention) ;;
    dbam_no_timing_signal) FLAGS=("${DBAM[@]}" --no-timing-signal) ;;
    dbam_no_modulation) FLAGS=("${DBAM[@]}" --modulation-decoders 0) ;;
    dbam_one_modulation_decoder) FLAGS=("${DBAM[@]}" --modulation-decoders 1) ;;
    dbam_no_arlm_loss) FLAGS=("${DBAM[@]}" --arlm-loss-weight 0) ;;
    esac
}
