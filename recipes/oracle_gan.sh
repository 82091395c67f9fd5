#!/usr/bin/env bash
# The synthetic benchmark of the text-GAN papers. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" oracle_gan "$@"
