#!/usr/bin/env bash
# Training speed of translation systems, read in turns. --help lists the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"
use_environment recipes
exec python "$PROJECT/recipes/lib/translation_speed.py" "$@"
