#!/usr/bin/env bash
# What each part of a modern GPT brings, from nothing to a report. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" shakespeare "$@"
