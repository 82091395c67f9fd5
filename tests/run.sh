#!/usr/bin/env bash
# Sets everything up and passes the tests: bash tests/run.sh [pytest's arguments]
# Of grids it takes every pair of values; -m full takes the rest, -m "not long" both.
set -euo pipefail
export GENEXT_MATMUL_PRECISION=highest # equalities hold in full float32 only
source "$(dirname "${BASH_SOURCE[0]}")/../recipes/lib/environment.sh"

use_environment test
use_environment recipes # so that no recipe under test installs anything while other tests run
cd "$PROJECT"
ruff check .
ruff format --check .
# A worker a core and a thread each: the models are too small to share one between threads.
OMP_NUM_THREADS=1 python -m pytest -q --durations=10 -n 2 --dist loadfile "$@"
