# Sourced by recipes that compare translation systems: what each system is.
#
#   system_flags NAME    sets FLAGS to the architecture, criterion and learning rate of a system
#
# With 8,000 joint pieces all have about 4.4 million parameters, 2 million of them in the one table
# of embeddings that both sides and the output layer share; the two without attention have 4.2.
# Rates and dropout were chosen by validation loss after 544 updates on Multi30k de-en.

SYSTEMS=(lstm dbam transformer lstm_no_attention lstm_seq2seq_doc)
ABLATIONS=(dbam dbam_single_attention dbam_no_timing_signal dbam_no_modulation
    dbam_one_modulation_decoder dbam_no_arlm_loss)

COMMON=(
    --share-all-embeddings --optimizer fused_adamw --clip-norm 1.0
    --lr-scheduler cosine --best-checkpoint-metric nll_loss
)
SMOOTHED=(--criterion label_smoothed_cross_entropy --label-smoothing 0.1)
LSTM=(
    --arch lstm --encoder-embed-dim 256 --encoder-hidden-size 256 --encoder-bidirectional
    --decoder-embed-dim 256 --decoder-hidden-size 256 --decoder-out-embed-dim 256
)
DBAM=(
    --arch dbam --encoder-embed-dim 232 --decoder-embed-dim 232 --dropout 0.2
    --criterion dbam --label-smoothing 0.1 --lr 2e-3
)

system_flags() {
    case "$1" in
    lstm) FLAGS=("${LSTM[@]}" "${SMOOTHED[@]}" --dropout 0.3 --lr 2e-3) ;;
    lstm_no_attention) FLAGS=("${LSTM[@]}" --decoder-attention 0 "${SMOOTHED[@]}" --dropout 0.3 --lr 2e-3) ;;
    lstm_seq2seq_doc)
        FLAGS=(
            --arch lstm_seq2seq_doc --rnn-cell gru --encoder-embed-dim 256 --encoder-hidden-dim 272
            --decoder-embed-dim 256 --decoder-hidden-dim 256 --deep-output --dropout 0.2
            "${SMOOTHED[@]}" --lr 2e-3
        )
        ;;
    lstm_seq2seq_doc_small) # one direction, read backwards: made for speed, 3.0 million parameters
        FLAGS=(
            --arch lstm_seq2seq_doc --rnn-cell gru --encoder-embed-dim 256 --encoder-hidden-dim 192
            --encoder-unidirectional --reverse-source --decoder-embed-dim 256
            --decoder-hidden-dim 192 --deep-output --dropout 0.2 "${SMOOTHED[@]}" --lr 2e-3
        )
        ;;
    transformer)
        FLAGS=(
            --arch transformer --encoder-layers 3 --decoder-layers 3
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
    *) fail "there is no system $1; choose among ${SYSTEMS[*]} ${ABLATIONS[*]}" ;;
    esac
}
