#!/usr/bin/env bash
# The article's image GAN from nothing to a report. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" image_gan "$@"
