#!/usr/bin/env bash
# kernel.sh
#
# What `pgtsim kernel` and --kernel say of what cannot be built or used. No kernel source is needed.
# $PGTSIM_COMMAND is the command, $PGTSIM_SHARE the folder of the build.
set -euo pipefail

pgtsim=$PGTSIM_COMMAND
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
failures=0

fail() {
	printf 'FAILED: %s\n' "$*"
	failures=$((failures + 1))
}

# refuses TEXT ARGUMENT...: the command ends with 2 and says TEXT, and no file x.so is left.
refuses() {
	local text=$1 status=0
	shift
	"$pgtsim" "$@" >out 2>err || status=$?
	[ $status = 2 ] || fail "$*: exit status $status, not 2"
	grep -qF -- "$text" err || fail "$*: does not say '$text' but: $(head -3 err)"
	[ ! -e x.so ] || fail "$*: leaves a file"
	ls -A | grep -q '^\.x\.so' && fail "$*: leaves half a file" || true
}

# tree NAME: a folder with a Makefile that is Linux 6.12, and empty files.
tree() {
	local name
	mkdir -p "$1"
	printf 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n' >"$1/Makefile"
	for name in $(cd "$PGTSIM_SHARE" && python3 -c 'import extract; print(*extract.FILES[1:])'); do
		mkdir -p "$1/$(dirname "$name")"
		: >"$1/$name"
	done
}

# ---- the command line ----

refuses "which file is to be written?" kernel build nowhere
refuses "build, info or diff, and what?" kernel build
refuses "there is no 'kernel make'; it is build, info or diff" kernel make x
refuses "diff takes two: BASE TREE" kernel diff x
refuses "diff takes two: BASE TREE" kernel build x y
refuses "pgtsim kernel diff: there is no x" kernel diff x y
refuses "Linux has no configuration with 4K pages, 47 bits" kernel build x -o x.so --va=47
refuses "--struct-page is 56 or 64 bytes" kernel build x -o x.so --struct-page=60
refuses "--profile and --kernel" run --kernel=x.so --profile=latest s

# ---- trees ----

refuses "there is no nowhere" kernel build nowhere -o x.so
mkdir empty
refuses "empty is no Linux source: no Makefile of it names a version" kernel build empty -o x.so
printf 'VERSION = 6\nPATCHLEVEL = 12\n' >empty/Makefile
refuses "empty lacks arch/arm64/mm/mmu.c and" kernel build empty -o x.so
printf 'no tarball' >broken.tar.xz
refuses "broken.tar.xz cannot be read" kernel build broken.tar.xz -o x.so
refuses "empty has no commit v1" kernel build empty@v1 -o x.so
tree bare
refuses "bare has none of the functions that are looked for: __create_pgd_mapping" \
	kernel build bare -o x.so
printf 'static void unmap_hotplug_range(int a)\n{\n' >bare/arch/arm64/mm/mmu.c
refuses "unmap_hotplug_range() has no end" kernel build bare -o x.so
printf 'static void unmap_hotplug_range(int a)\n{\n\tif (\n}\n' >bare/arch/arm64/mm/mmu.c
refuses "bare cannot be built: include/linux/memremap.h has no struct vmem_altmap" \
	kernel build bare -o x.so

rm bare/arch/arm64/mm/mmu.c
mkfifo bare/arch/arm64/mm/mmu.c
refuses "bare lacks arch/arm64/mm/mmu.c" kernel build bare -o x.so

# ---- what the conformance suite compiles ----

# suite TEXT ARGUMENT...: extract.py ends with 1 and says TEXT, in one line and no traceback.
suite() {
	local text=$1 status=0
	shift
	python3 "$PGTSIM_SHARE/extract.py" "$@" >out 2>&1 || status=$?
	[ $status = 1 ] || fail "extract.py $*: exit status $status, not 1"
	[ "$(wc -l <out)" = 1 ] || fail "extract.py $*: says more than a line: $(tail -2 out)"
	grep -qF -- "$text" out || fail "extract.py $*: does not say '$text' but: $(cat out)"
	[ ! -e x.h ] || fail "extract.py $*: leaves a file"
}

suite "there is no nowhere" --release nowhere
suite "empty lacks arch/arm64/mm/mmu.c" --release empty
tree plain
suite "plain has no function __create_pgd_mapping() in arch/arm64/mm/mmu.c" --release plain
suite "plain has no function __create_pgd_mapping() in arch/arm64/mm/mmu.c" plain x.h
printf '\377\376' >plain/mm/sparse.c
suite "plain cannot be read: 'utf-8' codec" --release plain
rm plain/mm/sparse.c
mkdir plain/mm/sparse.c
suite "plain cannot be read: [Errno 21] Is a directory" --release plain
mkdir linux-9.1
suite "linux-9.1 is Linux 9.1; this suite compiles 6.1 to 7.3" --release linux-9.1
suite "broken.tar.xz is no Linux source: its Makefile names no version" --release broken.tar.xz
cp broken.tar.xz linux-7.3.tar.xz
suite "linux-7.3.tar.xz cannot be read: " --release linux-7.3.tar.xz
suite "linux-7.3.tar.xz cannot be read: " linux-7.3.tar.xz x.h
rmdir plain/mm/sparse.c
head -c 300000 /dev/urandom >plain/mm/sparse.c
python3 -c 'import tarfile; tarfile.open("whole.tar.xz", "w:xz").add("plain")'
head -c 200000 whole.tar.xz >linux-6.12.tar.xz
suite "linux-6.12.tar.xz cannot be read: " linux-6.12.tar.xz x.h

# ---- tools ----

mkdir bin
for tool in env bash sh; do ln -s "$(command -v $tool)" bin/; done
PATH=$work/bin "$pgtsim" kernel build empty -o x.so 2>err && fail "builds without Python" || true
grep -q 'there is no Python: install python3' err || fail "no Python: $(cat err)"
ln -s "$(python3 -c 'import sys; print(sys.executable)')" bin/python3
CC= PATH=$work/bin "$pgtsim" kernel build empty -o x.so 2>err && fail "builds without a compiler" || true
grep -q 'there is no C compiler: install gcc or clang' err || fail "no compiler: $(cat err)"
PGTSIM_SHARE=$work "$pgtsim" kernel build empty -o x.so 2>err && fail "builds without its files" || true
grep -q 'build.py is not there' err || fail "no share: $(cat err)"

# ---- files ----

printf 'machine\n' >s
printf 'no object' >x
refuses "x: " run --kernel=x s
refuses "none.so: " run --kernel=none.so s
printf 'int nothing;\n' >n.c
if ${CC:-cc} -shared -fPIC n.c -o n.so 2>/dev/null; then
	refuses "n.so: it was not built by pgtsim kernel build" run --kernel=n.so s
	refuses "n.so: it was not built by pgtsim kernel build" kernel info n.so
fi

[ $failures = 0 ] || { echo "$failures failed"; exit 1; }
