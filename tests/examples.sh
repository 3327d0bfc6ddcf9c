#!/usr/bin/env bash
# Every example scenario does what it says, and its report is not empty.
set -euo pipefail

examples=$(dirname "$0")/../examples

for scenario in "$examples"/*.pgt; do
	printf '%s\n' "$(basename "$scenario")"
	"$PGTSIM_COMMAND" run --quiet "$scenario" >/dev/null
	[ -n "$("$PGTSIM_COMMAND" run "$scenario")" ]
done
