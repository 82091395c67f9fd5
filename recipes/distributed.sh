#!/usr/bin/env bash
# A fairseq command in several processes, on one machine or more. --help lists the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"
use_environment recipes
exec python "$PROJECT/recipes/lib/distributed.py" "$@"
