#!/usr/bin/env bash
# python.sh SOURCE_ROOT MODULE: the Python package with the module that was built, and its example.
set -euo pipefail

PYTHONPATH=$1/examples/python:$(cd "$(dirname "$2")" && pwd)
export PYTHONPATH PYTHONDONTWRITEBYTECODE=1
python3 "$1/tests/python_package.py"
out=$(python3 "$1/examples/python/removal.py")
echo "$out"
[ "$(grep -c 'nothing$' <<<"$out")" -eq 5 ]
grep -q '^linux-5.7 *cont .*stale-leaf$' <<<"$out"
