#!/usr/bin/env bash
# symbols.sh NM LIBRARY
#
# Passes if the shared library exports at least one symbol, and none outside
# the pgtsim_ namespace.
set -euo pipefail

nm=$1
library=$2

exported=$("$nm" --dynamic --defined-only --extern-only --format=posix "$library" |
	cut -d ' ' -f 1)

if [ -z "$exported" ]; then
	echo "the library exports nothing" >&2
	exit 1
fi

if foreign=$(grep -v '^pgtsim_' <<<"$exported"); then
	echo "exported without the pgtsim_ prefix:" >&2
	echo "$foreign" >&2
	exit 1
fi
