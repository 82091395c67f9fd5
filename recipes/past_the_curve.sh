#!/usr/bin/env bash
# Later ways past the temperature curve of likelihood, from nothing to a report. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" past_the_curve "$@"
