#!/usr/bin/env bash
# symbols.sh NM SHARED STATIC MISUSES INCLUDE
#
# Passes if the shared library exports at least one symbol, neither it nor the static one has a global
# symbol outside the pgtsim_ namespace, and MISUSES, tests/machine/misuses.py, misuses each function
# that is exported.
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

misused=$(python3 "$4" "$5" --functions)
functions=$("$nm" --dynamic --defined-only --extern-only --format=posix "$library" |
	sed -n 's/^\([^ ]*\) T .*/\1/p')
if left_out=$(comm -23 <(sort <<<"$functions") <(sort <<<"$misused")) && [ -n "$left_out" ]; then
	echo "exported, and not misused by the test misuses:" >&2
	echo "$left_out" >&2
	exit 1
fi
