#!/usr/bin/env bash
# Rebuilds the contracts of this directory as examples/build.sh does the examples, whose arguments it takes:
#
#   tests/contracts/build.sh [--check] [NAME...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../examples/build.sh" --in "$here" "$@"
