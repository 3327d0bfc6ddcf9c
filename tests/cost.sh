#!/usr/bin/env bash
# The commands cost, compare and sweep: what they print, and their exit statuses.
set -euo pipefail

pgtsim=$PGTSIM_COMMAND
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# status WANTED COMMAND...
status() {
	local wanted=$1 got=0
	shift
	"$@" >out 2>err || got=$?
	[ "$got" -eq "$wanted" ] || fail "$*: status $got, not $wanted: $(cat err)"
}

cat >try.pgt <<'END'
machine granule=4K va=48 ram=0x40000000+1G
add 0x80000000+128M
reset-stats
remove 0x80000000+128M
END

# A cost report has every counter and every cost, and the total is that of its parts.
status 0 "$pgtsim" cost try.pgt
for name in tlbi.all dsb.ish lines.touched cost.time cost.refills; do
	grep -q "^$name " out || fail "cost prints no $name"
done
status 0 "$pgtsim" cost --json try.pgt
python3 - out <<'END' || fail "costs do not add up"
import json, sys
c = json.load(open(sys.argv[1]))
parts = sum(c["cost." + p] for p in ("invalidates", "barriers", "entries", "lines", "memory"))
assert abs(parts - c["cost.time"]) <= 5, c
assert c["tlbi.all"] == 1 and c["tlbi.leaf"] == 1, c
END

# A constant of the model changes what it is about.
status 0 "$pgtsim" cost --json --cost=line=0,cpus=1 try.pgt
grep -q '"cost.lines":0,' out || fail "--cost=line=0 left a cost of lines"
status 0 "$pgtsim" cost --model
grep -q '^dsb-ish-per-cpu ' out || fail "--model prints no dsb-ish-per-cpu"
status 2 "$pgtsim" cost --cost=price=1 try.pgt
status 2 "$pgtsim" cost --cost=line try.pgt
status 2 "$pgtsim" cost --cost=line=9999999999 try.pgt
status 2 "$pgtsim" cost
status 2 "$pgtsim" cost nowhere.pgt
status 2 "$pgtsim" cost try.pgt@linux-2.6

# compare: the same is the same; what grew beyond the tolerance fails; less is fine.
status 0 "$pgtsim" compare try.pgt try.pgt
[ ! -s out ] || fail "compare of a scenario with itself prints something"
status 1 "$pgtsim" compare try.pgt@linux-6.12 try.pgt@linux-5.7
grep -q '^tlbi.leaf .* more$' out || fail "compare does not say that tlbi.leaf grew"
status 0 "$pgtsim" compare --only=tlbi.leaf,cost.time try.pgt@linux-5.7 try.pgt@linux-6.12
[ "$(wc -l <out)" -eq 2 ] || fail "--only shows other names"
status 1 "$pgtsim" compare --only=cost.time --tolerance=10 try.pgt@linux-6.12 try.pgt@linux-5.7
status 0 "$pgtsim" compare --only=cost.time --tolerance=100000 try.pgt@linux-6.12 \
	try.pgt@linux-5.7
status 2 "$pgtsim" compare --only=tlbi.leav try.pgt try.pgt
status 2 "$pgtsim" compare try.pgt
printf 'machine\nexpect dsb == 1\n' >false.pgt
status 1 "$pgtsim" compare try.pgt false.pgt

# sweep: the shards, one after another, are the whole; each row is a machine.
sweep=("$pgtsim" sweep "--sizes=1G,2G")
status 0 "${sweep[@]}"
sort out >whole
for i in 1 2 3 4 5; do "${sweep[@]}" --shard=$i/5; done | sort >shards
cmp -s whole shards || fail "the shards are not the whole"
[ "$(wc -l <whole)" -gt 200 ] || fail "a sweep of $(wc -l <whole) rows"
! grep -v ',ok,' whole | grep -v '^profile,' || fail "a machine of the sweep failed"
awk -F, 'NR == 1 { n = NF } NF != n { exit 1 }' whole || fail "rows of different lengths"
status 0 "$pgtsim" sweep --profiles=linux-5.7,latest --geometries=4K/48 --leaves=ptes --sizes=2G --json
python3 - out <<'END' || fail "the sweep's JSON is not what it should be"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
before, after = (next(r for r in rows if r["profile"] == p) for p in ("linux-5.7", "latest"))
assert len(rows) == 2
# A vmemmap block takes one invalidate: 16 of them, not 512 each.
assert after["tlbi.leaf"] == 16 and before["tlbi.leaf"] == 524288 + 16, rows
assert after["cost.time"] < before["cost.time"] * 0.05, rows
END
for bad in --profiles=linux-9 --geometries=4K/40 --leaves=huge --sizes=1M --sizes=x --shard=3/2 \
	--shard=1 --frob; do
	status 2 "$pgtsim" sweep "$bad"
	grep -q 'pgtsim sweep' err || fail "sweep $bad does not say what is wrong"
done
echo "cost, compare and sweep are as they should be"
