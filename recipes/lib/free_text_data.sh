# Sourced by recipes that compare generators of free text: sentences, cut and binarised.
#
#   prepare_free_text [FOLDER]    steps that make DATA/bin, DATA/{train,valid,test}.txt and
#                                 DATA/pieces.model from a folder of train.txt, test.txt and, if
#                                 there is one, valid.txt; from clauses of the Bible in Basic English
#                                 without a folder
#
#   cut_sentences                 two of these steps' work, on a DATA that is set already
#   binarise_sentences
#
# Uses OUTPUT and VOCABULARY; sets DATA. Without valid.txt every twentieth sentence of train.txt is
# taken out of it for validation.

copy_sentences() { # FOLDER: without empty lines
    local split
    mkdir -p "$DATA"
    for split in train valid test; do
        [ ! -e "$1/$split.txt" ] || grep -v '^[[:space:]]*$' "$1/$split.txt" >"$DATA/$split.txt"
    done
    if [ ! -e "$1/valid.txt" ]; then
        awk -v train="$DATA/train.part" -v valid="$DATA/valid.txt" \
            '{ print > (NR % 20 == 0 ? valid : train) }' "$DATA/train.txt"
        mv "$DATA/train.part" "$DATA/train.txt"
    fi
}

cut_sentences() {
    local split encode=()
    for split in train valid test; do
        encode+=(--encode "$DATA/$split.txt" "$DATA/$split.pieces")
    done
    python -m fairseq_genext.data.pieces "$DATA/pieces" --vocabulary "$VOCABULARY" \
        --train "$DATA/train.txt" "${encode[@]}"
}

binarise_sentences() {
    rm -rf "$DATA/bin" # of a run that was stopped here: fairseq refuses a dict.txt that it finds
    fairseq-preprocess --only-source --destdir "$DATA/bin" --trainpref "$DATA/train.pieces" \
        --validpref "$DATA/valid.pieces" --testpref "$DATA/test.pieces"
}

prepare_free_text() {
    if [ $# -gt 0 ]; then
        DATA="$OUTPUT/data"
        step data copy_sentences "$1"
    else
        DATA="$OUTPUT/data/clauses"
        step data python -m fairseq_genext.data.bible "$OUTPUT/data"
    fi
    step pieces cut_sentences
    step binarise binarise_sentences
}
