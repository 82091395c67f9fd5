#!/usr/bin/env bash
# From nothing to a report that compares a GPT, a GAN and two seq2seq models. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" quickstart "$@"
