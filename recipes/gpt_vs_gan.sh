#!/usr/bin/env bash
# Language models and GANs at one compute budget and one size. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" gpt_vs_gan "$@"
