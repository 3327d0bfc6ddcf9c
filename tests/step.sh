#!/usr/bin/env bash
# pgtsim run --step and pgtsim draw: moments forwards and backwards, the tables as text and as SVG.
set -euo pipefail

pgtsim=$PGTSIM_COMMAND
root=$(cd "$(dirname "$0")/.." && pwd)
b1=$root/examples/gallery/bad_b01.pgt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
	printf 'step.sh: %s\n' "$*" >&2
	exit 1
}

# step STATUS FILE COMMAND...: steps with these commands; what is printed is in `out` and `err`.
step() {
	local expected=$1 file=$2 status=0
	shift 2
	printf '%s\n' "$@" | "$pgtsim" run --step "$file" >out 2>err || status=$?
	[ "$status" -eq "$expected" ] || fail "$file $*: status $status"
}

has() {
	grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "no '$2'"; }
}

# moments: the numbers of those shown.
moments() {
	sed -n 's/^moment \([0-9]*\) of.*/\1/p' out | tr '\n' ' '
}

cat >small.pgt <<'END'
machine profile=latest va=39
map linear+0 0x80000000 8K blocks=off cont=off
unmap linear+0 8K
check
END

# Each key goes where it says, and not past the ends.
step 0 small.pgt '' n b b b 'g 5' c c c c c q n
[ "$(moments)" = '0 1 2 1 0 0 5 14 37 38 38 38 ' ] || fail "moments: $(moments)"
step 0 small.pgt 'g 99' 'g -1' 'g x' nonsense 'g 38' ''
has out 'there are moments 0 to 38'
has out 'that was the last moment'
has out 'Enter or n'
[ "$(moments)" = '0 38 ' ] || fail "moments: $(moments)"
step 0 small.pgt

# A moment reached forwards, backwards and in one leap is the same.
step 1 "$b1" 'g 299' '' '' b 'g 300'
python3 - out <<'END'
import sys
shown = [text.strip() for text in open(sys.argv[1]).read().split("\nmoment ")]
same = [text for text in shown if text.startswith("300 of")]
assert len(same) == 3 and len(set(same)) == 1, same
END

# The defect of B1 as it comes: stale translations in a group, then the violation.
has out 'Clear: pmd[13] was a block with the contiguous hint'
has out '[**cccccc........'
has out 'TLBs may hold 14 translations from 0xffff000040000000 (pmd)'
has err 'bad_b01.pgt:16: check: 4 violations'
step 1 "$b1" 'g 545' n n n n n n n n n n n n n n n n
has out 'VIOLATION stale-leaf 0x'

# Floor and ceiling stand where they are, and say what they keep.
step 0 "$root/examples/hot-remove.pgt" 'g 66230'
has out '(vmemmap, pass 2 (free tables))'
has out 'kept: begins below the floor'
step 0 "$root/examples/hot-remove.pgt" 'g 131800'
has out '[T...............................|..............................T]'

# A scenario that does not run says where; one that is none is not run.
echo 'machine profile=linux-5.7 granule=16K va=52' >bad.pgt
step 1 bad.pgt ''
has err 'bad.pgt:1: '
printf 'machine\nfrobnicate\n' >bad.pgt
step 2 bad.pgt ''
has err 'bad.pgt:2: '

# The drawing: well-formed, a rectangle for what is there, the end by default.
"$pgtsim" draw --at=300 "$b1" >one.svg
python3 - one.svg <<'END'
import sys
from xml.etree import ElementTree
names = [element.get("fill") for element in ElementTree.parse(sys.argv[1]).iter()]
assert names.count("url(#table)") == 2 + 1, names  # two tables and the legend
assert names.count("url(#block)") == 1 + 1
assert names.count("url(#cont)") == 1
assert names.count("url(#stale)") == 1 + 1
END
has one.svg 'pmd[13] was a block'
# Positions in a drawing: a strip is as wide as the picture without its margins and the row's indent,
# and an entry's position in the strip is proportional to its index.
printf '%s\n' machine 'map linear+4K 0x80001000 12K blocks=off' 'map linear+1G 0x40000000 4M' \
	'poke pte linear+8K 0' 'bounds linear+1G linear+3G' 'free-tables linear+1G 4K' >places.pgt
"$pgtsim" draw --at=37 places.pgt >places.svg
python3 - places.svg <<'END' || fail 'the drawing has things where they do not belong'
import sys
from xml.etree import ElementTree

WIDTH, MARGIN, INDENT, HEAD, ROW, STRIP = 1280, 24, 26, 92, 50, 24
rects = [element.attrib for element in ElementTree.parse(sys.argv[1]).iter() if element.tag.endswith("rect")]
found = [(r["fill"], *(float(r[key]) for key in ("x", "y", "width", "height"))) for r in rects if "x" in r and "y" in r]

def strip(row, depth):
    x = MARGIN + depth * INDENT
    return x, HEAD + row * ROW + 20, WIDTH - MARGIN - x - 6

def entries(row, depth, fill, index, count, height=STRIP):
    x, y, width = strip(row, depth)
    return fill, x + width * index / 512, y, max(2, width * count / 512), height

def wall(row, depth, index):
    x, y, width = strip(row, depth)
    return "#a8467c", x + width * index / 512 - 2, y - 4, 5, STRIP + 8

wanted = [
    entries(0, 0, "url(#table)", 0, 1),
    entries(1, 1, "url(#table)", 0, 2),
    wall(1, 1, 1), wall(1, 1, 3),
    entries(2, 2, "url(#table)", 0, 1),
    entries(3, 3, "url(#page)", 1, 1),
    entries(3, 3, "url(#stale)", 2, 1, STRIP / 2),
    entries(3, 3, "url(#page)", 3, 1),
    entries(4, 2, "url(#block)", 0, 2),
]
for want in wanted:
    assert any(want[0] == got[0] and all(abs(a - b) < 0.06 for a, b in zip(want[1:], got[1:]))
               for got in found), (want, found)
END
"$pgtsim" draw "$b1" >end.svg
has end.svg 'The run ends here: check: 4 violations.'
"$pgtsim" draw --profile=latest --at=0 "$b1" >latest.svg
has latest.svg '>latest: machine'
"$pgtsim" draw --at=66230 "$root/examples/hot-remove.pgt" >walls.svg
has walls.svg 'kept: begins below the floor'
has walls.svg '#a8467c'
for arguments in '--at=1000' '--at=x' '--at=-1' '--profile=none' '--bogus' 'other'; do
	status=0
	"$pgtsim" draw "$arguments" "$b1" >out 2>err || status=$?
	if [ "$status" -ne 2 ] || [ ! -s err ] || [ -s out ]; then
		fail "draw $arguments: status $status"
	fi
done
