# Sourced by recipes that measure LM scores, after steps.sh: small language models that judge text.
#
#   train_judge NAME TEXT    steps that train a gpt_doc of about two million parameters on TEXT, a
#                            sentence a line, into OUTPUT/models/judge-NAME/checkpoint_last.pt
#
# Uses OUTPUT, SEED and
#   JUDGE_DATA      folder of the dict.txt of all judges and systems
#   JUDGE_PIECES    sentencepiece model that cuts TEXT; empty where blanks do
#   JUDGE_UPDATES   the budget in updates of 64 sentences (default: 600)
#
# The judge of the samples reads real text, best such that no system was trained on: copying must
# earn nothing. A reverse judge reads one system's samples, as many for each system. All judges have
# the same budget, and none is chosen by validation, so that only the text they read differs:
#
#   train_judge real valid.txt
#   train_judge gpt samples/gpt.txt
#   genext-evaluate samples/gpt.txt --references test.txt --judge-data "$JUDGE_DATA" \
#       --pieces "$JUDGE_PIECES" --judge "$OUTPUT/models/judge-real/checkpoint_last.pt" \
#       --reverse-judges "$OUTPUT/models/judge-gpt/checkpoint_last.pt"

: "${JUDGE_PIECES:=}" "${JUDGE_UPDATES:=600}"

binarise_judged() { # NAME TEXT
    local folder="$OUTPUT/judges/$1" pieces="$2"
    mkdir -p "$folder"
    if [ -n "$JUDGE_PIECES" ]; then
        pieces="$folder/text.pieces"
        python -m fairseq_genext.data.pieces "${JUDGE_PIECES%.model}" --encode "$2" "$pieces"
    fi
    rm -rf "$folder/bin" # of a run that was stopped here
    fairseq-preprocess --only-source --srcdict "$JUDGE_DATA/dict.txt" --trainpref "$pieces" \
        --destdir "$folder/bin"
}

train_judge() {
    [ -f "$2" ] || fail "$2, the text of the judge $1, does not exist"
    [ -f "$JUDGE_DATA/dict.txt" ] || fail "$JUDGE_DATA/dict.txt, of the judges, does not exist"
    step "judged-$1" binarise_judged "$1" "$2"
    train "judge-$1" "$OUTPUT/judges/$1/bin" --task unconditional_generation \
        --arch gpt_doc_mini --decoder-layers 2 --decoder-embed-dim 192 --dropout 0.1 \
        --criterion cross_entropy --optimizer fused_adamw --weight-decay 0.1 --clip-norm 1.0 \
        --batch-size 64 --lr 3e-3 --lr-scheduler cosine \
        --warmup-updates $((JUDGE_UPDATES / 10 + 1)) --max-update "$JUDGE_UPDATES" \
        --disable-validation
}
