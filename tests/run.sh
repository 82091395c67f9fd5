#!/usr/bin/env bash
# Sets everything up and passes the tests: bash tests/run.sh [pytest's arguments]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../recipes/lib/environment.sh"

use_environment test
cd "$PROJECT"
ruff check .
ruff format --check .
python -m pytest -q --durations=10 "$@"
