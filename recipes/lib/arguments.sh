# Sourced by every recipe after environment.sh: its command line.
#
#   take_arguments "WORD …" "$@"
#       each WORD is --option=VARIABLE for an option with a value, --option+VARIABLE for one without,
#       which sets 1, or VARIABLE for the one argument that is no option. Calls usage for --help and
#       sets COMMAND, what the user typed, for reports.
#   require_positive VALUE …    fails unless each is a positive whole number
#   require_distinct OPTION NAME …    fails unless there is a name, and none is there twice
#   require_known KIND "KNOWN …" NAME …      fails unless each name is known
#   require_folder FOLDER

take_arguments() {
    local words="$1" word first=""
    shift
    COMMAND="bash recipes/${0##*/}"
    for word in "$@"; do
        if [[ "$word" =~ ^[[:alnum:]_./\ -]+$ && "$word" == *" "* ]]; then
            COMMAND+=" \"$word\""
        else
            COMMAND+=" $(printf %q "$word")"
        fi
    done
    while [ $# -gt 0 ]; do
        case "$1" in
        --help | -h) usage && exit 0 ;;
        "") fail "an argument is empty; see --help" ;;
        esac
        for word in $words none; do
            case "$word" in
            "$1="*)
                [ $# -ge 2 ] || fail "$1 needs a value; see --help"
                printf -v "${word#*=}" %s "$2"
                shift && break
                ;;
            "$1+"*) printf -v "${word#*+}" 1 && break ;;
            [A-Z]*)
                [[ "$1" != -* ]] || continue
                [ -z "$first" ] || fail "one argument at most, not $first and $1; see --help"
                first="$1"
                printf -v "$word" %s "$1" && break
                ;;
            none) fail "unknown argument $1; see --help" ;;
            esac
        done
        shift
    done
}

require_positive() {
    local number
    for number in "$@"; do
        [[ "$number" =~ ^[1-9][0-9]*$ ]] || fail "$number is not a positive whole number; see --help"
    done
}

require_distinct() {
    local option="$1" twice
    shift
    [ $# -gt 0 ] || fail "$option is empty; see --help"
    twice="$(printf '%s\n' "$@" | sort | uniq -d | head -n 1)"
    [ -z "$twice" ] || fail "$option has $twice twice; see --help"
}

require_known() {
    local kind="$1" known="$2" name
    shift 2
    for name in "$@"; do
        [[ " $known " == *" $name "* ]] || fail "there is no $kind $name; choose among $known"
    done
}

require_folder() {
    [ -d "$1" ] || fail "$1 is not a folder; see --help"
}
