#!/usr/bin/env bash
# Runs an experiment: bash recipes/compare.sh MY.yaml [options]; --help behind the file lists them, and
# recipes/README.md tells what stands in such a file. The other recipes are shipped experiments.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"
[ $# -gt 0 ] || fail "name an experiment: a file, or one of $(cd "$PROJECT/recipes/experiments" && echo *.yaml)"
use_environment recipes
exec python "$PROJECT/recipes/lib/compare.py" "$@"
