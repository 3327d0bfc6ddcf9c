#!/usr/bin/env bash
# python_pip.sh SOURCE_ROOT: `pip install examples/python` in a clean virtual environment, without a
# network, and the package as it is then. A skip without meson-python (Debian: python3-mesonpy).
set -euo pipefail

python=/usr/bin/python3
"$python" -c 'import mesonpy, venv' 2>/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/source"
cp -R "$1"/{include,src,meson.build,meson_options.txt,LICENSE} "$work/source"
mkdir "$work/source/examples"
cp -R "$1/examples/python" "$work/source/examples"
"$python" -m venv --system-site-packages "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-index --no-build-isolation \
	"$work/source/examples/python"
rm -rf "$work/source"
cd "$work"
"$work/venv/bin/python" "$1/tests/python_package.py"
"$work/venv/bin/python" "$1/examples/python/removal.py"
[ -z "$(find "$work/venv" -name 'pgtsim.h')" ] || { echo "the package installs C headers"; exit 1; }
