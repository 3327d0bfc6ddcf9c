#!/usr/bin/env bash
# reference.sh SOURCE_ROOT: Doxygen reads the public headers and the guide without a warning, and
# what the headers say is in its output.
set -euo pipefail

command -v doxygen >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$1/include" "$work"
mkdir -p "$work/examples" "$work/build"
cp -R "$1/examples/guide" "$work/examples"
cd "$work"

doxygen examples/guide/Doxyfile 2>warnings || { cat warnings; exit 1; }
if [ -s warnings ]; then
	cat warnings
	exit 1
fi
for header in include/pgtsim/*.h; do
	name=$(basename "$header" .h)
	[ -e "build/reference/html/${name}_8h.html" ] || { echo "no page for $header"; exit 1; }
done
grep -q 'VMEMMAP_START' build/reference/html/structpgtsim__layout.html
