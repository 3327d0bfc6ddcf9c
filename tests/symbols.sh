#!/usr/bin/env bash
# symbols.sh NM SHARED STATIC
#
# Passes if the shared library exports at least one symbol, and neither it nor
# the static one has a global symbol outside the pgtsim_ namespace.
set -euo pipefail

nm=$1
library=$2

exported=$("$nm" --dynamic --defined-only --extern-only --format=posix "$library" |
	cut -d ' ' -f 1)
global=$("$nm" --defined-only --extern-only --format=posix "$3" |
	sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\) [A-Z] .*/\1/p')

if [ -z "$exported" ]; then
	echo "the library exports nothing" >&2
	exit 1
fi

if foreign=$(grep -v '^pgtsim_' <<<"$exported"$'\n'"$global"); then
	echo "exported without the pgtsim_ prefix:" >&2
	echo "$foreign" >&2
	exit 1
fi
