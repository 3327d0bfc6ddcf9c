#!/usr/bin/env bash
# The commands cost, compare and sweep: what they print, and their exit statuses.
set -euo pipefail

pgtsim=$PGTSIM_COMMAND
root=$(cd "$(dirname "$0")/.." && pwd)
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

# Costs are shown with a range and a unit, and what is not counted is said.
status 0 "$pgtsim" cost try.pgt
grep -Eq '^cost.time +[0-9.]+ µs +\( *[0-9.]+ µs to +[0-9.]+ ms\)' out || fail "cost.time has no range: $(cat out)"
grep -q '^Not counted: migration' out || fail "cost does not say what is not counted"
status 0 "$pgtsim" cost --json try.pgt
python3 - out <<'END' || fail "the range of cost.time is none"
import json, sys
c = json.load(open(sys.argv[1]))
assert c["cost.time.low"] < c["cost.time"] < c["cost.time.high"], c
assert c["cost.refills.low"] < c["cost.refills"] < c["cost.refills.high"], c
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
grep -q '^cost.time .* more$' out || fail "compare does not say that cost.time grew"
# One invalidate-all instead of thousands by VA is an improvement, though a counter grew.
status 0 "$pgtsim" compare try.pgt@linux-5.7 try.pgt@linux-6.12
grep -q '^tlbi.all  *0  *1 ' out || fail "compare does not show that tlbi.all grew: $(cat out)"
grep -q '^Judged: cost.time' out || fail "compare does not say what it judges"
status 1 "$pgtsim" compare --only=tlbi.all try.pgt@linux-5.7 try.pgt@linux-6.12
# A broadcast that crosses to a second socket costs more, each time.
status 0 "$pgtsim" cost --json --cost=sockets=1,dsb-ish-per-socket=400000 try.pgt
mv out one
status 0 "$pgtsim" cost --json --cost=sockets=2,dsb-ish-per-socket=400000 try.pgt
python3 - one out <<'END' || fail "a second socket costs nothing"
import json, sys
one, two = (json.load(open(path)) for path in sys.argv[1:])
assert two["cost.barriers"] - one["cost.barriers"] == 400 * one["dsb.ish"], (one, two)
END
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
# The last of several names counts like the first, in every list.
last=(--profiles=linux-5.7,latest --geometries=4K/39,64K/52 --leaves=ptes,cont --sizes=1G,2G)
status 0 "$pgtsim" sweep "${last[@]}"
[ "$(wc -l <out)" -eq 17 ] || fail "a sweep of two by two by two by two has $(wc -l <out) lines"
[ "$(grep -c '^latest,64K/52,cont,off,2147483648,,ok,' out)" -eq 1 ] || fail "the last of each list is not swept"
status 0 "$pgtsim" sweep --profiles=latest --geometries=4K/48 --leaves=ptes --sizes=1G --json \
	--cost=line=0,refill=0
grep -q '"cost.lines":0,' out || fail "sweep --cost=line=0,… left a cost of lines"
grep -q '"cost.refills":0,' out || fail "sweep --cost=…,refill=0 left a cost of refills"
status 0 "$pgtsim" sweep --profiles=latest --geometries=4K/48 --leaves=ptes --sizes=1G --json
! grep -q '"cost.refills":0,' out || fail "without --cost there is no cost of refills"
# The smallest memory block is a size, if the geometry has it.
status 0 "$pgtsim" sweep --sizes=128M --geometries=4K/48,64K/48 --leaves=ptes --profiles=latest
grep -q '^latest,4K/48,ptes,off,134217728,,ok,' out || fail "128M of 4K pages: $(cat out)"
grep -q '^latest,64K/48,ptes,off,134217728,,EINVAL,' out || fail "128M of 64K pages: $(cat out)"
# Memmap on memory: a kernel that has none has no row; where it does not happen, the row says so.
status 0 "$pgtsim" sweep --sizes=1G --geometries=4K/48,64K/48 --leaves=ptes --memmap-on-memory=on \
	--profiles=linux-5.10,linux-5.14,linux-6.6,linux-7.3
[ "$(cut -d, -f1,2,7 out | tail -n +2 | tr '\n' ' ')" = "linux-5.14,4K/48,ok linux-5.14,64K/48,EINVAL\
 linux-6.6,4K/48,ok linux-6.6,64K/48,memmap-elsewhere linux-7.3,4K/48,ok\
 linux-7.3,64K/48,memmap-elsewhere " ] || fail "memmap on memory: $(cut -d, -f1,2,7 out)"
# Keys of the machine; each row carries them and the constants.
status 0 "$pgtsim" sweep --sizes=1G --geometries=4K/48 --leaves=ptes --profiles=linux-7.3 --json \
	--with=flush=per-leaf,repeat-tlbi=on --cost=cpus=7
python3 - out <<'END' || fail "the row of a sweep with keys is not what it should be"
import json, sys
row, = (json.loads(line) for line in open(sys.argv[1]))
assert row["with"] == "flush=per-leaf repeat-tlbi=on" and row["model.cpus"] == 7, row
assert row["tlbi.leaf"] > 2 * 262144 and row["cost.time.low"] < row["cost.time"], row
END
# A table for people has units, ranges, the number of CPUs and what is not counted.
status 0 "$pgtsim" sweep --text --sizes=512G --geometries=4K/48 --leaves=ptes --profiles=linux-5.10 --cost=cpus=192
grep -Eq '^linux-5.10 .* 512G +[0-9.]+ s  \( +[0-9.]+ s to +[0-9]+ s\)' out || fail "sweep --text: $(cat out)"
grep -q '^192 CPUs, 1 socket' out || fail "sweep --text does not say how many CPUs"
grep -q '^Not counted' out || fail "sweep --text does not say what is not counted"
# The example's table and plots: kernels alike share a line, and a plot says what it is of.
"$pgtsim" sweep --sizes=1G,2G --geometries=4K/48,64K/48 --leaves=ptes --memmap-on-memory=off,on \
	--profiles=linux-5.10,linux-5.14,linux-6.18,linux-7.3 --cost=cpus=192 >sweep.csv
python3 "$root/examples/sweep.py" sweep.csv . >out 2>/dev/null
grep -q '^Time to remove 2 GiB; 192 CPUs' out || fail "the table does not say of what it is: $(cat out)"
grep -Eq '^ +293 ms  \(.*\)  linux-5.10, linux-5.14$' out || fail "kernels alike are not one row: $(cat out)"
grep -q '^  memmap-elsewhere  linux-6.18, linux-7.3$' out || fail "the table hides what did not happen"
grep -q '^Not counted' out || fail "the table does not say what is not counted"
grep -q '^set title "Hot-remove, 4K/48, ptes, memmap on memory.n192 CPUs' 4K-48-ptes-on.gnuplot || fail "no title"
[ "$(grep -c 'title "linux' 4K-48-ptes-off.gnuplot)" -eq 2 ] || fail "lines alike are not one"
# Other machines for a scenario: a profile, keys, or both; comments and lines stay where they are.
printf '# a comment\n\nmachine profile=linux-7.3 flush=range # why\nadd 0x80000000+128M\nremove 0x80000000+128M\nfrob\n' >bad.pgt
status 2 "$pgtsim" cost bad.pgt@linux-6.1,flush=per-leaf
grep -q '^bad.pgt:6:' err || fail "a changed scenario has other lines: $(cat err)"
grep -v frob bad.pgt >keys.pgt
for changes in linux-7.3,flush=per-leaf flush=per-leaf profile=linux-7.3,flush=per-leaf; do
	status 0 "$pgtsim" cost --json "keys.pgt@$changes"
	grep -q '"tlbi.leaf":32769,' out || fail "keys.pgt@$changes: $(cat out)"
done
status 0 "$pgtsim" cost --json keys.pgt@linux-7.3
grep -q '"tlbi.leaf":1,' out || fail "keys.pgt as it is: $(cat out)"
for changes in flush=per-leave flush linux-7.3,frob=1 flush=range,flush=range; do
	status 2 "$pgtsim" cost "keys.pgt@$changes"
	grep -q '^keys.pgt:3: ' err || fail "keys.pgt@$changes: $(cat err)"
done

for bad in --profiles=latest,linux-9 --geometries=4K/48,4K/40 --leaves=ptes,huge --sizes=1G,1M --with=flush=per-leave --with=granule=64K --memmap-on-memory=on,never \
	--cost=line=0,price=1 --profiles=linux-9 --geometries=4K/40 --leaves=huge --sizes=1M --sizes=x --shard=3/2 \
	--shard=1 --frob; do
	status 2 "$pgtsim" sweep "$bad"
	grep -q 'pgtsim sweep' err || fail "sweep $bad does not say what is wrong"
done
echo "cost, compare and sweep are as they should be"
