# Sourced by every recipe and by tests/run.sh: one Python environment with the tested versions.
#
#   use_environment EXTRA    EXTRA is an extra of setup.py: recipes or test
#
# Makes and takes .venv next to setup.py. The active environment is taken only if this checkout is what it
# has already, or with --use-active (GENEXT_USE_ACTIVE=1), which is taken out of the script's arguments.
# Installs only when setup.py, constraints.txt or the extra have changed since the last time.

PROJECT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
USER_DIR="$PROJECT/fairseq_genext"
export PIP_DISABLE_PIP_VERSION_CHECK=1

# glibc gives blocks as large as a batch of logits back to the system at once and gets them anew,
# page by page, at every update; kept, training on a CPU is about 1.4 times as fast.
export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592
# Factors of matrix products in bfloat16, where the CPU or GPU has them; see precision.py.
export GENEXT_MATMUL_PRECISION="${GENEXT_MATMUL_PRECISION:-medium}"

for argument; do
    shift
    if [ "$argument" = --use-active ]; then
        export GENEXT_USE_ACTIVE=1
    else
        set -- "$@" "$argument"
    fi
done

fail() {
    echo "error: $*" >&2
    exit 1
}

supported_python() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

make_venv() {
    local python
    for python in python3.11 python3.12 python3; do
        if supported_python "$python"; then
            echo "== making $PROJECT/.venv with $("$python" --version)"
            "$python" -m venv "$PROJECT/.venv" || {
                rm -rf "$PROJECT/.venv" # half of one would be taken for a whole one the next time
                fail "$python cannot make a virtual environment; install its venv package"
            }
            return
        fi
    done
    fail "no Python 3.11 or 3.12 found; install one of them"
}

# The checkout that an environment has fairseq-genext from; nothing if it has none or a copy.
checkout_of() {
    local url
    url="$(sed -n 's|.*"url": "file://\([^"]*\)".*|\1|p' \
        "$1"/lib/python3*/site-packages/fairseq_genext-*.dist-info/direct_url.json 2>/dev/null | head -n 1)"
    printf '%b' "${url//%/\\x}" # %20 is a blank
}

use_environment() {
    local extra="$1" venv="$PROJECT/.venv" active="${VIRTUAL_ENV:-}" other="" wanted stamp
    if [ -n "$active" ] && ! [ "$active" -ef "$venv" ]; then
        other="$(checkout_of "$active")"
        if [ "$other" = "$PROJECT" ] || [ "${GENEXT_USE_ACTIVE:-}" = 1 ]; then
            venv="$active"
            [ -x "$venv/bin/python" ] || fail "the active environment $venv has no python"
            [ -z "$other" ] || [ "$other" = "$PROJECT" ] ||
                echo "== $venv now has fairseq-genext from $PROJECT, no longer from $other"
        else
            echo "== the active environment $active is not used but $venv; --use-active takes it"
        fi
    fi
    [ -x "$venv/bin/python" ] || make_venv
    supported_python "$venv/bin/python" ||
        fail "$venv has $("$venv/bin/python" --version), and fairseq needs 3.11 or 3.12"
    export VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH"
    # The path counts too: an editable install of another checkout is not this one.
    wanted="$( (echo "$PROJECT $extra"; cat "$PROJECT/setup.py" "$PROJECT/constraints.txt") | cksum)"
    stamp="$venv/.fairseq-genext-$extra"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || [ -n "${other#"$PROJECT"}" ]; then
        echo "== installing fairseq-genext[$extra] into $venv (about a minute)"
        python -m pip install --quiet --progress-bar off \
            -e "$PROJECT[$extra]" -c "$PROJECT/constraints.txt" ||
            fail "installation failed; pip's reason stands above"
        echo "$wanted" >"$stamp"
    fi
}
