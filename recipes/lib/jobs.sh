# Sourced by recipes that run steps side by side, after steps.sh.
#
#   side_by_side [NUMBER]    how many jobs run at a time (default: as many as cores), a thread each:
#                            two trainings of one thread beat one of two
#   job COMMAND …            runs COMMAND, steps in a row, in the background as soon as there is room
#   await NAME …             in a job: waits for steps of jobs that were queued before it
#   finish_jobs              waits for all jobs
#
# Jobs start in the order in which they are queued, so that waiting for an earlier one comes to an end.
# If one fails, or the recipe is stopped, all are stopped; their trainings go on from their last
# checkpoint the next time.

RUNNING=()

side_by_side() {
    JOBS="${1:-$(env -u OMP_NUM_THREADS nproc)}" # which nproc would answer instead of the cores
    export OMP_NUM_THREADS=1
    rm -rf "$OUTPUT/.running" # marks of steps that were stopped
}

stop_jobs() { # STATUS
    trap '' INT TERM HUP
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null || true
    wait
    exit "$1"
}

reap_jobs() { # forgets finished jobs; a failed one stops all
    local pid left=()
    for pid in "${RUNNING[@]}"; do
        if kill -0 "$pid" 2>/dev/null; then
            left+=("$pid")
        else
            wait "$pid" || stop_jobs 1
        fi
    done
    RUNNING=("${left[@]}")
}

leave_running() { # NUMBER: waits until so many jobs are left
    while reap_jobs && [ "${#RUNNING[@]}" -gt "$1" ]; do
        sleep 0.5
        show_running
    done
}

show_running() { # a line of a terminal, or a line every half a minute
    local mark line=""
    [ -t 1 ] || [ "$SECONDS" -ge $((${LAST_SHOWN:-0} + 30)) ] || return 0
    LAST_SHOWN=$SECONDS
    for mark in "$OUTPUT"/.running/*; do
        [ -e "$mark" ] || continue
        mark="${mark##*/}"
        line+="  $mark $(progress "$OUTPUT/logs/$mark.log" | tr '\n' ' ')"
    done
    if [ -t 1 ]; then
        printf '\r\033[K   %4d s%.*s' "$SECONDS" $(($(tput cols 2>/dev/null || echo 80) - 10)) "$line"
    elif [ -n "$line" ]; then
        printf '   %4d s%s\n' "$SECONDS" "$line"
    fi
}

job() {
    trap 'stop_jobs 130' INT TERM HUP
    leave_running $((JOBS - 1))
    (
        RUNNING=() IN_JOB=1
        trap - INT TERM HUP
        "$@"
    ) &
    RUNNING+=($!)
}

await() {
    local name
    for name in "$@"; do
        until [ -e "$OUTPUT/.done/$name" ]; do
            sleep 1
        done
    done
}

finish_jobs() {
    leave_running 0
    trap - INT TERM HUP
    [ -t 1 ] && printf '\r\033[K' || true
}
