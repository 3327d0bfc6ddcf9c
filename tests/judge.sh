#!/usr/bin/env bash
# judge.sh
#
# pgtsim judge: the trace of every example and gallery scenario has the violations that its run
# found; lines that are none, cut, reordered and random ones are answered.
# $PGTSIM_COMMAND is the command.
set -euo pipefail

pgtsim=$PGTSIM_COMMAND
examples=$(cd "$(dirname "$0")/../examples" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

failures=0

fail() {
	printf 'FAILED: %s\n' "$*"
	failures=$((failures + 1))
}

# judge STATUS ARGUMENT...: judges and checks the exit status; output is left in `out` and `err`.
judge() {
	local wanted=$1 status=0
	shift
	timeout 60 "$pgtsim" judge "$@" >out 2>err || status=$?
	[ "$status" -eq "$wanted" ] ||
		fail "pgtsim judge $*: status $status, not $wanted: $(head -n 3 out err)"
}

has() {
	grep -qF -- "$2" "$1" || fail "no '$2' in $1: $(head -n 5 "$1")"
}

# Names and addresses of violations, sorted.
violations() {
	grep -oE '(^|: )[a-z]+(-[a-z0-9]+)+ 0x[0-9a-f]{16} ' "$1" | sed 's/^: //' | sort
}

# --- What a run found ----------------------------------------------------------

# Every Nth of them with PGTSIM_TEST_SHARE=N, as tests/share.h has it.
share=${PGTSIM_TEST_SHARE:-1}
count=0
number=0
for scenario in "$examples"/*.pgt "$examples"/gallery/*.pgt; do
	((number++ % share == 0)) || continue
	# What is not checked finds nothing.
	! grep -q 'checker=off' "$scenario" || continue
	"$pgtsim" run --quiet --trace=trace "$scenario" >found 2>/dev/null || true
	# It counts its violations, and prints none.
	! grep -q '^expect violations >' "$scenario" || continue
	# A run without `check` does not look at what is left.
	grep -q '^check' "$scenario" || continue
	violations found >wanted || true
	status=0
	[ ! -s wanted ] || status=1
	strict=off
	! grep -q '^check strict' "$scenario" || strict=on
	judge "$status" trace strict=$strict
	violations out >got || true
	cmp -s wanted got || fail "$scenario: $(diff wanted got | head -n 5)"
	[ ! -s err ] || fail "$scenario: $(head -n 3 err)"
	count=$((count + 1))
done
[ "$count" -ge $((30 / share)) ] || fail "only $count scenarios were judged"

# --- Bad lines -------------------------------------------------------------------

trace() {
	printf '%s\n' '{"format":"pgtsim-trace","version":1}' "$@" >t
}

map='{"op":"map","level":"pte","va":"0xffff000000000000","count":1,"size":4096,"old":"0x0","new":"0x60000040000703","step":"0x1000","pa":"0x40000000"}'
clear='{"op":"clear","level":"pte","va":"0xffff000000000000","count":1,"size":4096,"old":"0x60000040000703","new":"0x0","step":"0x1000","pa":"0x40000000"}'

# A translation that nobody invalidated, at the line of the operation's end.
end='{"op":"end","va":"0xffff000000000000","last":"0xffff000000000fff"}'
trace "$map" "$clear" "$end"
judge 1 t
has out 't:4: stale-leaf 0xffff000000000000 pte '

# What tells of nothing is not called clean.
: >t
judge 2 t
has err 't: there is no event in it, so nothing was judged'
trace
judge 2 t
has err 't: there is no event in it, so nothing was judged'

# The same entry, invalidated as it must be.
trace "$map" '{"op":"dsb-ishst"}' '{"op":"isb"}' "$clear" '{"op":"dsb-ishst"}' \
	'{"op":"tlbi-leaf","va":"0xffff000000000000"}' '{"op":"dsb-ish"}' '{"op":"isb"}' "$end"
judge 0 t
has out 't: 10 lines judged, 0 violations'

# Memory that is freed too early: before its entry is cleared, or before the invalidate; an altmap's, too.
for free in pages-free altmap-free; do
	freed="{\"op\":\"$free\",\"pa\":\"0x40000000\",\"count\":1}"
	trace "$map" '{"op":"dsb-ishst"}' '{"op":"isb"}' "$freed" "$clear" '{"op":"dsb-ishst"}' \
		'{"op":"tlbi-leaf","va":"0xffff000000000000"}' '{"op":"dsb-ish"}' '{"op":"isb"}' "$end"
	judge 1 t
	has out 't:6: freed-while-mapped 0xffff000000000000 pte '
	trace "$map" '{"op":"dsb-ishst"}' '{"op":"isb"}' "$clear" "$freed" '{"op":"dsb-ishst"}' \
		'{"op":"tlbi-leaf","va":"0xffff000000000000"}' '{"op":"dsb-ish"}' '{"op":"isb"}' "$end"
	judge 1 t
	has out 't:6: freed-while-cached 0xffff000000000000 pte '
done

# Restrictions of a table entry and a table in a block's place: what is below counts, run or trace.
run_and_judge() {
	printf '%s\n' "$@" check >scenario
	"$pgtsim" run --quiet --trace=trace scenario >found 2>/dev/null || true
	violations found >wanted || true
	judge "$([ -s wanted ] && echo 1 || echo 0)" trace
	violations out >got || true
	cmp -s wanted got || fail "$*: $(diff wanted got | head -n 5)"
}
run_and_judge 'machine granule=4K va=48' 'map linear+0 0x40000000 64K blocks=off cont=off' \
	'poke pmd linear+0 0x5800000040003403' 'barrier dsb-ishst' 'tlbi walk linear+0' \
	'barrier dsb-ish' 'barrier isb'
has wanted 'stale-leaf 0xffff000000001000'
for pa in 0x40400000 0x44400000; do
	run_and_judge 'machine granule=4K va=48 bbm=3' "map linear+2M $pa 2M blocks=off cont=off" \
		'map linear+4M 0x44400000 2M blocks=on' 'poke pmd linear+2M 0' 'barrier dsb-ishst' \
		'tlbi all' 'barrier dsb-ish' 'barrier isb' 'poke pmd linear+4M 0x1800000040003403' \
		'barrier dsb-ishst' 'barrier isb'
	[ $pa = 0x44400000 ] || has wanted 'no-break 0xffff000000400000'
done
[ ! -s wanted ] || fail 'a split that maps the same memory is clean at bbm=3'

# A table of which only its entry and a leaf are told: the leaf beside the one that is invalidated stays.
link='{"op":"link","level":"pmd","va":"0xffff000000000000","old":"0x0","new":"0x1800000041000003"}'
unlink='{"op":"unlink","level":"pmd","va":"0xffff000000000000","old":"0x1800000041000003","new":"0x0"}'
leaves='{"op":"map","level":"pte","va":"0xffff000000000000","count":2,"old":"0x0","new":"0x60000040000703","pa":"0x40000000"}'
one_invalidate=('{"op":"dsb-ishst"}' '{"op":"tlbi-walk","va":"0xffff000000000000"}' '{"op":"dsb-ish"}'
	'{"op":"isb"}')
for first in "$link" "$leaves"; do
	second=$leaves
	[ "$first" = "$link" ] || second=$link
	trace "$first" "$second" '{"op":"dsb-ishst"}' '{"op":"isb"}' "$unlink" "${one_invalidate[@]}"
	judge 1 t
	has out 'stale-leaf 0xffff000000001000 pte '
done

# A valid entry that is replaced is overwritten, whatever the line calls it, and each entry of a run counts.
page='"level":"pte","va":"0xffff000000000000"'
one='0x60000040000703' other='0x60000080000703' third='0x60000040001703'
trace "{\"op\":\"map\",$page,\"count\":1,\"old\":\"0x0\",\"new\":\"$one\"}" '{"op":"dsb-ishst"}' '{"op":"isb"}' \
	"{\"op\":\"map\",$page,\"count\":1,\"old\":\"$one\",\"new\":\"$other\"}"
judge 1 t
has out 't:5: no-break 0xffff000000000000 pte '
trace "{\"op\":\"map\",$page,\"count\":2,\"old\":\"0x0\",\"new\":\"$one\"}" '{"op":"dsb-ishst"}' '{"op":"isb"}' \
	"{\"op\":\"clear\",$page,\"count\":2,\"old\":\"$one\",\"new\":\"$other\"}"
judge 1 t
has out 't:5: no-break 0xffff000000000000 pte '
trace "{\"op\":\"map\",\"level\":\"pte\",\"va\":\"0xffff000000001000\",\"count\":1,\"old\":\"0x0\",\"new\":\"$third\"}" \
	"{\"op\":\"map\",$page,\"count\":2,\"old\":\"0x0\",\"new\":\"$other\"}"
judge 2 t
has err "t:3: old 0x0000000000000000: by what came before, the entry holds 0x00${third#0x}"

# Tables that lead to one another, a table with two places, and its page freed as an ordinary one.
trace '{"op":"store","pa":"0x41000000","new":"0x42000003"}' '{"op":"store","pa":"0x42000000","new":"0x41000003"}' \
	"$link" "$unlink"
judge 1 t
has out 'not judged: what '
trace "$link" '{"op":"link","level":"pmd","va":"0xffff000000200000","old":"0x0","new":"0x1800000041000003"}' \
	'{"op":"dsb-ishst"}' '{"op":"isb"}'
judge 0 t
has out 't: not judged: the other places of 1 table'
for free in '"pages-free","count":1' '"table-free","level":"pte","va":"0xffff000000000000"'; do
	trace "$link" '{"op":"dsb-ishst"}' '{"op":"isb"}' "{\"op\":$free,\"pa\":\"0x41000000\"}"
	judge 1 t
	has out 't:5: freed-while-mapped 0xffff000000000000 pmd '
done

# A page that was linked before the trace began: what is stored there and not invalidated.
trace '{"op":"store","pa":"0x41000000","new":"0x60000040000703"}' '{"op":"store","pa":"0x41000000","new":"0x0"}' \
	"$unlink" "${one_invalidate[@]}"
judge 0 t
has out 't: not judged: 1 page with stores while'

# What the trace does not tell is not called clean.
trace "$unlink" "${one_invalidate[@]}"
judge 0 t
has out 't: not judged: what 1 table held that went or changed'
trace '{"op":"table-alloc","level":"pte","va":"0xffff000000000000","pa":"0x41000000"}' '{"op":"dsb-ishst"}' \
	"$link" '{"op":"dsb-ishst"}' '{"op":"isb"}' "$unlink" "${one_invalidate[@]}"
judge 0 t
! grep -q 'not judged' out || fail "a table that is known was not judged: $(cat out)"
printf '%s\n' '{"format":"pgtsim-trace","version":1,"root":"0x42000000"}' \
	'{"op":"store","pa":"0x42000000","value":"0x0"}' '{"op":"store","pa":"0x42000000","value":"0x0"}' \
	'{"op":"store","pa":"0x43000000","value":"0x41000003"}' '{"op":"dsb-ishst"}' '{"op":"isb"}' >t
judge 0 t
has out 't: not judged: 1 store over values'
has out 't: not judged: 1 page with stores'

# What a leaf maps is what its descriptor says, with `pa` or without.
bare_map='{"op":"map","level":"pte","va":"0xffff000000000000","count":1,"old":"0x0","new":"0x60000040000703"}'
bare_clear='{"op":"clear","level":"pte","va":"0xffff000000000000","count":1,"old":"0x60000040000703","new":"0x0"}'
for pa in 0x40000000 0x0; do
	trace "$bare_map" '{"op":"dsb-ishst"}' '{"op":"isb"}' "{\"op\":\"pages-free\",\"pa\":\"$pa\",\"count\":1}" \
		"$bare_clear" "${one_invalidate[@]}"
	judge $((pa != 0)) t
done

# Tables from before the trace are followed all the way down, and all of them have to be published.
store() {
	printf '{"op":"store","pa":"%s","new":"%s"}' "$1" "$2"
}
printf '%s\n' '{"format":"pgtsim-trace","version":1,"root":"0x10000"}' "$(store 0x11000 0x12003)" \
	'{"op":"dsb-ishst"}' "$(store 0x10000 0x11003)" '{"op":"dsb-ishst"}' '{"op":"isb"}' \
	"$(store 0x12000 0x60000040000701)" '{"op":"dsb-ishst"}' '{"op":"isb"}' "$(store 0x12000 0x0)" \
	'{"op":"dsb-ish"}' '{"op":"isb"}' >t
judge 1 t
has out 'stale-leaf 0xffff000000000000 pmd '
printf '%s\n' '{"format":"pgtsim-trace","version":1,"root":"0x10000"}' "$(store 0x11000 0x12003)" \
	'{"op":"dsb-ishst"}' "$(store 0x12000 0x0)" "$(store 0x10000 0x11003)" '{"op":"dsb-ishst"}' '{"op":"isb"}' >t
judge 1 t
has out 'unpublished-table 0xffff000000000000 pud '

# Leaves map consecutive memory unless `step` says otherwise.
trace '{"op":"map","level":"pte","va":"0xffff000000000000","count":3,"old":"0x0","new":"0x60000040000703"}' \
	'{"op":"poke","level":"pte","va":"0xffff000000002000","old":"0x60000040002703","new":"0x0"}'
judge 1 t
has out 'stale-leaf 0xffff000000002000'

# What is wrong with a line is told with its number; the others are judged.
refuses() {
	trace "$map" "$1" "$clear" "$end"
	judge 2 t
	has err "t:3: $2"
	has out 'stale-leaf'
}
refuses 'nonsense' "not a line of a trace: '{' expected"
refuses '{"op":"isb"' "not a line of a trace: ',' or '}' expected"
refuses '{"op":"isb"} {' "not a line of a trace: nothing behind '}' expected"
refuses '{"op":"isb' 'not a line of a trace: it ends in a string'
refuses '{"op":isb}' 'not a line of a trace: a string expected'
refuses '{"va":"0x0"}' "'op' is missing"
refuses '{"op":"nothing"}' "there is no operation 'nothing'"
refuses '{"op":"isb","colour":1}' "there is no field 'colour'"
refuses '{"op":"isb","cpu":1,"cpu":1}' "'cpu' is there twice"
refuses '{"op":"isb","cpu":-1}' 'not a line of a trace: a number expected'
refuses '{"op":"isb","cpu":"1"}' 'not a line of a trace: a number like 12 or "0x1000" expected'
refuses '{"op":"isb","cpu":18446744073709551616}' 'not a line of a trace: a number expected'
refuses '{"op":"isb","cpu":1024}' 'cpu 1024: there are CPUs 0 to 1023'
refuses '{"op":"tlbi-leaf"}' "tlbi-leaf lacks 'va'"
refuses '{"op":"tlbi-range","va":"0x0"}' "tlbi-range lacks 'size'"
refuses '{"op":"tlbi-leaf","va":"0x0","scope":"all"}' 'scope: it is one of is, local, os, iommu'
refuses '{"op":"tlbi-leaf","va":"0x0","ttl":16}' 'ttl: too large'
refuses '{"op":"tlbi-leaf","va":"0x0","count":0}' 'count 0: '
refuses '{"op":"store","pa":"0x40000000"}' "store lacks 'new'"
refuses '{"op":"store","pa":"0x40000001","new":"0x0"}' 'pa 0x40000001: no descriptor can stand there'
refuses '{"op":"pages-free","pa":"0x40000000"}' "pages-free lacks 'count'"
refuses '{"op":"pages-free","pa":"0x40000001","count":1}' 'pa 0x40000001: no page begins there'
refuses '{"op":"unlink","level":"pte","va":"0xffff000000001000","old":"0x3"}' "unlink lacks 'new'"
refuses '{"op":"map","level":"p4d","va":"0xffff000000001000","old":"0x0","new":"0x0","count":1}' \
	"this geometry has no level 'p4d'"
refuses '{"op":"poke","level":"pmd","va":"0xffff000000001000","old":"0x0","new":"0x1"}' \
	'va 0xffff000000001000: no entry of its level begins there'
refuses '{"op":"poke","level":"pte","va":"0x1000","old":"0x0","new":"0x1"}' 'va 0x0000000000001000: '
refuses '{"op":"map","level":"pte","va":"0xffff000000001000","old":"0x0","new":"0x1","count":512}' \
	'count 512: the table has 511 entries from there on'
refuses '{"op":"map","level":"pte","va":"0xffff000000001000","old":"0x0","new":"0x1","count":1,"size":8192}' \
	'size 8192: an entry of its level translates 4096 bytes'
refuses '{"op":"map","level":"pte","va":"0xffff000000000000","old":"0x0","new":"0x1","count":1}' \
	'old 0x0000000000000000: by what came before, the entry holds 0x0060000040000703'
refuses '{"op":"violation","name":"bad-luck","va":"0x0"}' "there is no violation 'bad-luck'"
refuses '{"op":"end","va":"0x0"}' "end lacks 'last'"
refuses '{"op":"map","flags":["loud"]}' "there is no flag 'loud'"
printf '{"format":"pgtsim-trace","version":2}\n' >t
judge 2 t
has err 't:1: version 2: this program reads version 1'
printf '{"format":"other","version":1}\n' >t
judge 2 t
has err 't:1: the format is no pgtsim-trace'

# A last line that is cut off is told, and the rest judged.
trace "$map" "$clear"
printf '{"op":"tlbi-le' >>t
judge 1 t
has err 't:4: the last line is cut off and was not judged'
has out 'stale-leaf'

# Many bad lines are counted.
trace
printf 'nonsense\n%.0s' {1..30} >>t
judge 2 t
has err 't: and 10 more bad lines'

# --- The machine -------------------------------------------------------------------

# Keys of the command line win over those of the trace.
trace '{"op":"machine","keys":"profile=linux-6.1 granule=4K va=48"}' \
	'{"op":"poke","level":"pmd","va":"0xffff000000200000","old":"0x0","new":"0x60000040000701"}' \
	'{"op":"dsb-ishst"}' '{"op":"isb"}'
judge 0 t
judge 2 t granule=64K
has err 'va 0xffff000000200000: no entry of its level begins there'
judge 2 t granule=5K
has err 'pgtsim judge: '
judge 2 t checker=off
has err 'checker=off'
judge 2 t t
has err "'t' is not key=value"
judge 2 not-there
has err 'not-there: there is no such file'
judge 2
has err 'which trace?'

# What every kernel of the profile does wrong is a violation, unless it is asked not to be.
printf '%s\n' 'machine profile=linux-6.12 granule=4K va=48' 'add 2G+128M' 'check' >weak.pgt
"$pgtsim" run --quiet --trace=t weak.pgt >/dev/null
judge 1 t
has out ': unpublished-table 0x'
judge 1 t strict=on
judge 0 t strict=off
judge 2 t strict=maybe
has err "strict"

# --- Stores to tables whose place is not known yet --------------------------------------

# A table is filled, then linked: it is followed from there. What is cleared below its entry may
# still be cached.
pud=0xffff000000000000
trace '{"op":"store","pa":"0x41000000","new":"0x60000040000701"}' \
	'{"op":"dsb-ishst"}' \
	"{\"op\":\"link\",\"level\":\"pud\",\"va\":\"$pud\",\"old\":\"0x0\",\"new\":\"0x41000003\"}" \
	'{"op":"dsb-ishst"}' '{"op":"isb"}' \
	'{"op":"store","pa":"0x41000000","new":"0x0"}' \
	'{"op":"end","va":"0x0","last":"0xffffffffffffffff"}'
judge 1 t
has out 't:8: stale-leaf 0xffff000000000000 pmd '

# A root given at the start: stores there are entries of the root, and the tables below follow.
printf '%s\n' '{"format":"pgtsim-trace","version":1,"root":"0x40000000"}' \
	'{"op":"store","pa":"0x41000000","value":"0x60000040000701"}' \
	'{"op":"store","pa":"0x42000000","value":"0x41000003"}' \
	'{"op":"dsb-ishst"}' \
	'{"op":"store","pa":"0x40000000","value":"0x42000003"}' \
	'{"op":"dsb-ishst"}' '{"op":"isb"}' \
	'{"op":"store","pa":"0x40000000","value":"0x0"}' \
	'{"op":"table-free","level":"pud","va":"0xffff000000000000","pa":"0x42000000"}' >t
judge 1 t
has out 'table-freed-while-cached 0xffff000000000000 pgd '
has out 'stale-leaf 0xffff000000000000 pmd '

# --- Reordered, cut and random traces ------------------------------------------------------

"$pgtsim" run --quiet --trace=trace "$examples/pmem.pgt" >/dev/null
python3 - <<'EOF'
import random

random.seed(1)
lines = open("trace").read().splitlines(keepends=True)
for name in range(8):
    mixed = lines[:2] + random.sample(lines[2:], len(lines) - 2)
    open(f"mixed{name}", "w").writelines(mixed)
text = "".join(lines)
for name in range(8):
    cut = text[: random.randrange(len(text))]
    open(f"cut{name}", "w").write(cut)
for name in range(8):
    bytes_ = bytearray(text.encode())
    for _ in range(300):
        bytes_[random.randrange(len(bytes_))] = random.choice(b'"0x{}[]:,9fF\\\n \0')
    open(f"damaged{name}", "wb").write(bytes_)
ops = ["link", "unlink", "map", "clear", "poke", "store", "table-alloc", "table-free", "tlbi-all",
       "tlbi-leaf", "tlbi-walk", "dsb-ish", "dsb-ishst", "isb", "pages-free", "tlbi-range", "end"]
for name in range(8):
    with open(f"random{name}", "w") as out:
        out.write('{"format":"pgtsim-trace","version":1,"root":"0x40000000"}\n')
        for _ in range(4000):
            level = random.choice(["pgd", "pud", "pmd", "pte"])
            shift = {"pgd": 39, "pud": 30, "pmd": 21, "pte": 12}[level]
            va = (0xffff << 48) | (random.randrange(4) << shift)
            table = 0x40000000 + 4096 * random.randrange(8)
            new = random.choice([0, 3, 0x701, 0x703]) | random.choice([table, 0, 0x80000000])
            old = random.choice([0, new])
            out.write(f'{{"op":"{random.choice(ops)}","level":"{level}","va":"{va:#x}",'
                      f'"count":{random.choice([1, 1, 1, 2, 3])},"size":{1 << shift},"old":"{old:#x}",'
                      f'"new":"{new:#x}","pa":"{table + 8 * random.choice([0, 0, 1, 2]):#x}",'
                      f'"last":"{va + (1 << shift) - 1:#x}","cpu":{random.randrange(3)}}}\n')
for name in range(8):
    open(f"noise{name}", "wb").write(random.randbytes(20000))
EOF
for file in mixed* cut* damaged* random* noise*; do
	status=0
	timeout 60 "$pgtsim" judge "$file" >out 2>err || status=$?
	[ "$status" -le 2 ] || fail "pgtsim judge $file: status $status"
	if [ "$status" -eq 0 ]; then
		has out '0 violations'
	else
		[ -s out ] || [ -s err ] || fail "pgtsim judge $file: no message"
	fi
done
# s390's entries are those of its architecture: an empty one is not 0, and neither is what a sentence
# says of it. A store without a virtual address does not tell what it empties.
sed -n '1,2p' <("$pgtsim" run --quiet --trace=/dev/stdout "$examples/gallery/good_b36.pgt") >t
s390='{"op":"map","level":"pmd","va":"0x40000000","count":1,"size":1048576,"new":"0x40003503","pa":"0x40000000"'
printf '%s\n' "$s390,\"old\":\"0x20\"}" "$s390,\"old\":\"0x20\"}" '{"op":"store","pa":"0x1000","value":"0x20"}' \
	'{"op":"clear","level":"pmd","va":"0x8000000000000000","count":1,"size":1048576,"old":"0x20","new":"0x20","pa":"0x0"}' >>t
judge 2 t
has err ':4: old 0x0000000000000020: by what came before, the entry holds 0x0000000040003503'
has err ':5: store: with format=s390 stores are judged by their virtual address alone'
has err ':6: va 0x8000000000000000: no entry of its level begins there'
# What stands behind a byte 0 is no part of a line that ends there.
printf '{"op":"isb"}\0{"op":"isb"}\n' >t
judge 2 t
has err ':1: not a line of a trace: a byte 0 stands in it'
status=0
"$pgtsim" judge random0 >out 2>err || status=$?
grep -q ': [a-z-]* 0x' out || fail 'random0: no violation'

[ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
