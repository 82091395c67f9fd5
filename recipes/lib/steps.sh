# Sourced by recipes: steps that run once, say what they do, and leave nothing half-made.
#
#   step NAME COMMAND …       runs COMMAND unless the step is done; its output goes to a log
#   train NAME ARGUMENTS …    a step of fairseq-train, which resumes where it was stopped
#
# OUTPUT is the recipe's folder. Steps are marked in OUTPUT/.done, logs are in OUTPUT/logs.

SECONDS=0

run_logged() { # LOG COMMAND …: shows the last line of the log while the command runs
    local log="$1" pid
    shift
    "$@" >"$log" 2>&1 &
    pid=$!
    trap 'kill $pid 2>/dev/null; exit 130' INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        sleep 2
        show_progress "$log"
    done
    trap - INT TERM
    [ -t 1 ] && printf '\r\033[K'
    if ! wait "$pid"; then
        tail -n 20 "$log" >&2
        fail "the step failed; its log is $log"
    fi
}

show_progress() { # updates and loss of a training, on one line of a terminal, or one line in ten s
    local line
    line="$(grep -ao '"num_updates": "[0-9]*"\|"loss": "[0-9.]*"' "$1" 2>/dev/null |
        tail -n 2 | tr -d '"' | tr '\n' ' ')" || true
    if [ -t 1 ]; then
        printf '\r\033[K   %4d s  %s' "$SECONDS" "$line"
    elif [ -n "$line" ] && [ "$line" != "${LAST_PROGRESS:-}" ] && [ $((SECONDS % 10)) -lt 2 ]; then
        LAST_PROGRESS="$line"
        printf '   %4d s  %s\n' "$SECONDS" "$line"
    fi
}

step() {
    local name="$1" mark="$OUTPUT/.done/$1"
    shift
    mkdir -p "$OUTPUT/.done" "$OUTPUT/logs"
    if [ -e "$mark" ]; then
        echo "-- $name: done before"
        return
    fi
    echo "== $name (at $SECONDS s)"
    run_logged "$OUTPUT/logs/$name.log" "$@"
    touch "$mark"
}

train() {
    local name="$1"
    shift
    mkdir -p "$OUTPUT/models/$name"
    step "train-$name" fairseq-train "$@" --user-dir "$USER_DIR" --seed "$SEED" \
        --save-dir "$OUTPUT/models/$name" --no-epoch-checkpoints \
        --log-format json --log-interval 25 --log-file "$OUTPUT/models/$name/train.log"
}
