#!/usr/bin/env bash
# Speed of every architecture, side by side with public code. --help lists the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"
use_environment recipes
exec python "$PROJECT/recipes/lib/bench.py" "$@"
