# Sourced by recipes that compare translation systems: pairs of sentences, cut and binarised.
#
#   prepare_translation_data [FOLDER]    steps that make DATA/bin, DATA/{train,valid,test}.{SOURCE,
#                                        TARGET} and DATA/pieces.model from a folder of Multi30k's
#                                        layout, or from KJV and BBE without one
#
#   cut_pairs                            two of these steps' work, on a DATA that is set already
#   binarise_pairs
#
# Uses OUTPUT, SOURCE, TARGET and VOCABULARY; sets DATA.

find_split() { # FOLDER LANGUAGE NAMES …: the file of the first name there is, plain or packed
    local folder="$1" language="$2" name path
    shift 2
    for name in "$@"; do
        for path in "$folder/$name.$language" "$folder/$name.$language.gz"; do
            if [ -e "$path" ]; then
                echo "$path"
                return
            fi
        done
    done
    fail "$folder has no $name.$language or $name.$language.gz"
}

copy_pairs() { # FOLDER: takes a folder of Multi30k's layout
    local language split path
    mkdir -p "$DATA"
    local names
    for language in "$SOURCE" "$TARGET"; do
        for split in "train train" "valid val valid" "test test_2016_flickr test"; do
            read -r split names <<<"$split"
            # shellcheck disable=SC2086
            path="$(find_split "$1" "$language" $names)" || exit 1
            case "$path" in
            *.gz) gzip -dc "$path" >"$DATA/$split.$language" ;;
            *) cp "$path" "$DATA/$split.$language" ;;
            esac
        done
    done
    for split in train valid test; do
        [ "$(wc -l <"$DATA/$split.$SOURCE")" -eq "$(wc -l <"$DATA/$split.$TARGET")" ] ||
            fail "$split has not as many lines in $SOURCE as in $TARGET"
    done
}

cut_pairs() {
    local split side encode=()
    for split in train valid test; do
        for side in "$SOURCE" "$TARGET"; do
            encode+=(--encode "$DATA/$split.$side" "$DATA/$split.pieces.$side")
        done
    done
    python -m fairseq_genext.data.pieces "$DATA/pieces" --vocabulary "$VOCABULARY" \
        --train "$DATA/train.$SOURCE" "$DATA/train.$TARGET" "${encode[@]}"
}

binarise_pairs() {
    rm -rf "$DATA/bin" # of a run that was stopped here: fairseq refuses a dict.txt that it finds
    fairseq-preprocess -s "$SOURCE" -t "$TARGET" --joined-dictionary --destdir "$DATA/bin" \
        --trainpref "$DATA/train.pieces" --validpref "$DATA/valid.pieces" \
        --testpref "$DATA/test.pieces"
}

prepare_translation_data() {
    same_settings "data ${1:-kjv-bbe}, $SOURCE to $TARGET, vocabulary $VOCABULARY"
    if [ $# -gt 0 ]; then
        DATA="$OUTPUT/data"
        step data copy_pairs "$1"
    else
        DATA="$OUTPUT/data/kjv-bbe"
        step data python -m fairseq_genext.data.bible "$OUTPUT/data"
    fi
    step pieces cut_pairs
    step binarise binarise_pairs
}
