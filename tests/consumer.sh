#!/usr/bin/env bash
# consumer.sh SOURCE_ROOT
#
# Builds and runs the small program of tests/subproject in the three ways a user
# would: with libpgtsim as a Meson subproject, and against an installed copy
# through pkg-config, linked dynamically and statically.
set -euo pipefail

source_root=$1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The caller may itself be in the middle of an install.
unset DESTDIR

run_quietly() {
	if ! "$@" >"$work/log" 2>&1; then
		cat "$work/log" >&2
		echo "failed: $*" >&2
		exit 1
	fi
}

# Only the files that make up the library: a subproject needs nothing else.
copy_library() {
	mkdir -p "$1"
	cp -R "$source_root"/{include,src,meson.build,meson_options.txt,LICENSE} "$1"
}

as_subproject() {
	cp -R "$source_root/tests/subproject" "$work/consumer"
	copy_library "$work/consumer/subprojects/pgtsim"
	run_quietly meson setup --buildtype=debug --wrap-mode=nodownload \
		--force-fallback-for=pgtsim "$work/consumer/build" "$work/consumer"
	run_quietly meson compile -C "$work/consumer/build"
	run_quietly "$work/consumer/build/consumer"
}

install_library() {
	run_quietly meson setup --buildtype=debug --prefix="$work/prefix" --libdir=lib \
		-Dtests=false -Dcommand=false "$work/library" "$source_root"
	run_quietly meson install -C "$work/library"
}

# compile_installed OUTPUT [FLAG...]: FLAGs follow the source on the command line.
compile_installed() {
	local output=$1 cflags
	shift
	cflags=$(PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig" pkg-config --cflags pgtsim)
	# CC and the flags are lists of words.
	# shellcheck disable=SC2086
	run_quietly ${CC:-cc} -std=c11 $cflags "$source_root/tests/subproject/main.c" \
		"$@" -o "$output"
}

as_installed_shared() {
	local libs version
	libs=$(PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig" pkg-config --libs pgtsim)
	# shellcheck disable=SC2086
	compile_installed "$work/shared" $libs
	LD_LIBRARY_PATH="$work/prefix/lib" run_quietly "$work/shared"

	# The version is written down twice, in meson.build and in api.h.
	version=$(PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig" pkg-config --modversion pgtsim)
	if ! grep -qwF "$version" "$work/log"; then
		echo "pgtsim.pc says version $version, the headers say:" >&2
		cat "$work/log" >&2
		exit 1
	fi
}

# By CMake, if there is one: its find_package() with a version.
with_cmake() {
	local source=$work/cmake
	command -v cmake >/dev/null || return 0
	mkdir "$source"
	cp "$source_root/tests/subproject/main.c" "$source"
	cat >"$source/CMakeLists.txt" <<-END
		cmake_minimum_required(VERSION 3.13)
		project(consumer C)
		find_package(pgtsim 0.1 REQUIRED)
		add_executable(consumer main.c)
		target_link_libraries(consumer pgtsim::pgtsim)
	END
	run_quietly cmake -S "$source" -B "$source/build-$1" -DCMAKE_PREFIX_PATH="$work/prefix"
	run_quietly cmake --build "$source/build-$1"
	run_quietly "$source/build-$1/consumer"
	rm -rf "$source"
}

# The licence, the guide and the examples are there, nothing of the development is.
documents_installed() {
	local doc=$work/prefix/share/doc/pgtsim file
	for file in LICENSE README.md .github/CHANGES.md examples/dimm.pgt examples/guide/README.md \
		examples/gallery/bad_b01.pgt examples/teardown.c examples/unit-test/meson.build; do
		[ -s "$doc/$file" ] || { echo "$file is not installed" >&2; exit 1; }
	done
	for file in examples/packaging examples/web examples/python/subprojects; do
		[ ! -e "$doc/$file" ] || { echo "$file is installed" >&2; exit 1; }
	done
}

# With the shared library out of the way, the linker takes the static one.
as_installed_static() {
	local libs
	mkdir "$work/shared-library"
	mv "$work"/prefix/lib/libpgtsim.so* "$work/shared-library"
	libs=$(PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig" pkg-config --static --libs pgtsim)
	# shellcheck disable=SC2086
	compile_installed "$work/static" $libs
	run_quietly "$work/static"
}

# The example project of unit tests: with a subproject, and with the installed library.
unit_test() {
	local name=$1
	shift
	cp -R "$source_root/examples/unit-test" "$work/$name"
	if [ "$name" = unit-subproject ]; then
		copy_library "$work/$name/subprojects/pgtsim"
	fi
	run_quietly meson setup --wrap-mode=nodownload "$@" "$work/$name/build" "$work/$name"
	run_quietly meson test -C "$work/$name/build"
}

# What was installed goes again, and nothing is left.
uninstall_library() {
	local left
	run_quietly ninja -C "$work/library" uninstall
	left=$(find "$work" -path "$work/prefix/*" ! -type d)
	if [ -n "$left" ]; then
		echo "left after the uninstall: $left" >&2
		exit 1
	fi
}

as_subproject
unit_test unit-subproject --force-fallback-for=pgtsim
install_library
LD_LIBRARY_PATH="$work/prefix/lib" unit_test unit-installed \
	--pkg-config-path="$work/prefix/lib/pkgconfig"
documents_installed
as_installed_shared
with_cmake shared
as_installed_static
with_cmake static
mv "$work"/shared-library/* "$work/prefix/lib"
uninstall_library
