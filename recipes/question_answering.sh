#!/usr/bin/env bash
# Question answering by GPT and seq2seq. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" question_answering "$@"
