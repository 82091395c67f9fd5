#!/usr/bin/env bash
# Translation models before and after adversarial training. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" conditional_gan "$@"
