#!/usr/bin/env bash
# Translation systems side by side. --help lists the options.
exec bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" translation "$@"
