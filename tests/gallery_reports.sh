#!/usr/bin/env bash
# gallery_reports.sh [--update]
#
# What each scenario of the gallery prints is what stands in data/gallery, to the letter (nothing
# if there is no file), and the command says of all that they find what they should. With
# --update, data/gallery is rewritten. $PGTSIM_COMMAND is the command.
set -euo pipefail
shopt -s nullglob

pgtsim=$PGTSIM_COMMAND
reports=$(realpath "$(dirname "$0")")/data/gallery
cd "$(dirname "$0")/../examples/gallery"
bad=(bad_*.pgt) good=(good_*.pgt)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What each prints, and then what it says on standard error; nothing is no file.
for scenario in "${bad[@]}" "${good[@]}"; do
	report=$work/${scenario%.pgt}.txt
	"$pgtsim" run --quiet "$scenario" >"$report" 2>&1 || [ $? -eq 1 ]
	[ -s "$report" ] || rm "$report"
done
if [ "${1-}" = --update ]; then
	rm -f "$reports"/*.txt
	cp "$work"/*.txt "$reports"
	exit
fi

status=0
diff -ru "$reports" "$work" || status=1
# Slow programs have run all of it above.
[ "${PGTSIM_TEST_SHARE:-1}" -gt 1 ] || "$pgtsim" gallery all || status=1
"$pgtsim" gallery B1 >"$work/told" || status=1
grep -q 'That is the defect, found.' "$work/told" || status=1
"$pgtsim" gallery >"$work/list"
[ "$(wc -l <"$work/list")" -eq "${#bad[@]}" ] || status=1
[ "${#bad[@]}" -eq "${#good[@]}" ] || status=1
exit "$status"
