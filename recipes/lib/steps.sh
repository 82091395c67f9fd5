# Sourced by recipes: steps that run once, say what they do, and leave nothing half-made.
#
#   step NAME COMMAND …       runs COMMAND unless the step is done; its output goes to a log
#   train NAME ARGUMENTS …    a step of fairseq-train, which resumes where it was stopped
#   same_settings TEXT        fails where OUTPUT was begun with another TEXT: what is done is valid
#                             only while that on which it depends stays as it was
#
# OUTPUT is the recipe's folder. Steps are marked in OUTPUT/.done, logs are in OUTPUT/logs. What a
# training cost is in OUTPUT/models/NAME/cost.json (measured.py). Steps in a row show their own
# progress; those side by side leave that to jobs.sh.

SECONDS=0
STEPS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

stop_step() { # PROCESS GROUP
    trap '' INT TERM HUP
    kill -- "-$1" 2>/dev/null || true
    wait "$1" || true
    exit 130
}

run_logged() { # LOG COMMAND …: shows the last line of the log while the command runs
    local log="$1" pid="" stopped=""
    shift
    trap 'stopped=1' INT TERM HUP # for a signal that comes before the step's number is known
    set -m # a process group of its own, so that what the step has started stops with it
    "$@" </dev/null >"$log" 2>&1 &
    pid=$!
    set +m
    trap 'stop_step $pid' INT TERM HUP
    [ -z "$stopped" ] || stop_step "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
        [ -n "${IN_JOB:-}" ] || show_progress "$log"
    done
    trap - INT TERM HUP
    [ -n "${IN_JOB:-}" ] || { [ -t 1 ] && printf '\r\033[K'; }
    if ! wait "$pid"; then
        tail -n 20 "$log" >&2
        fail "the step failed; its log is $log"
    fi
}

progress() { # LOG: updates and loss of a training, empty for another step
    grep -ao '"num_updates": "[0-9]*"\|"loss": "[0-9.]*"' "$1" 2>/dev/null |
        tail -n 2 | tr -d '"' | tr '\n' ' ' || true
}

show_progress() { # LOG: on one line of a terminal, or one line in ten s
    local line
    line="$(progress "$1")"
    if [ -t 1 ]; then
        printf '\r\033[K   %4d s  %s' "$SECONDS" "$line"
    elif [ -n "$line" ] && [ "$SECONDS" -ge $((${LAST_SHOWN:-0} + 10)) ]; then
        LAST_SHOWN=$SECONDS
        printf '   %4d s  %s\n' "$SECONDS" "$line"
    fi
}

same_settings() {
    local before
    before="$(cat "$OUTPUT/settings.txt" 2>/dev/null || echo "$1")"
    [ "$before" = "$1" ] ||
        fail "$OUTPUT has another run ($before; now $1); give another --output or delete it"
    echo "$1" >"$OUTPUT/settings.txt"
}

step() {
    local name="$1" mark="$OUTPUT/.done/$1"
    shift
    mkdir -p "$OUTPUT/.done" "$OUTPUT/.running" "$OUTPUT/logs"
    if [ -e "$mark" ]; then
        echo "-- $name: done before"
        return
    fi
    echo "== $name (at $SECONDS s)"
    touch "$OUTPUT/.running/$name"
    run_logged "$OUTPUT/logs/$name.log" "$@"
    rm -f "$OUTPUT/.running/$name"
    touch "$mark"
}

train() {
    local name="$1"
    shift
    mkdir -p "$OUTPUT/models/$name"
    step "train-$name" python "$STEPS/measured.py" "$OUTPUT/models/$name/cost.json" \
        fairseq-train "$@" --user-dir "$USER_DIR" --seed "$SEED" \
        --save-dir "$OUTPUT/models/$name" --no-epoch-checkpoints \
        --log-format json --log-interval 25 --log-file "$OUTPUT/models/$name/train.log"
}
