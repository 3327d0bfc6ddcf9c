#!/usr/bin/env bash
# compile-alone.sh HEADER COMPILER [ARGUMENT...]
#
# Passes if a file that includes nothing but HEADER, twice, compiles. The second
# time catches a missing include guard.
set -euo pipefail

header=$1
shift

printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
	"$@" -fsyntax-only -
