#!/usr/bin/env bash
# Speed of adversarial training at SeqGAN's settings, in turns with a public framework. --help lists the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"
use_environment recipes
exec python "$PROJECT/recipes/lib/gan_speed.py" "$@"
