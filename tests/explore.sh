#!/bin/sh
# The command explore: shards, by GNU parallel if there is one, and processes find what one search
# finds; a missing shard is refused; Ctrl-C prints what was found; a schedule that cannot run is an error.
set -u
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
pgtsim=$PGTSIM_COMMAND
failed=0

fail() {
	echo "$*"
	failed=1
}

cat > "$dir/race.pgt" <<'END'
machine granule=4K va=48
actor a vmalloc 0xffff800000000000 1
actor b vmalloc 0xffff800000001000 1
actor c ptdump 0xffff800000000000 8K
explore
END
cat > "$dir/four.pgt" <<'END'
machine granule=4K va=48
actor a vmalloc 0xffff800000000000 1
actor b vmalloc 0xffff800000001000 1
actor c vmalloc 0xffff800000002000 1
actor d vmalloc 0xffff800000003000 1
explore
END
cat > "$dir/fails.pgt" <<'END'
machine profile=linux-6.12
add 0x80000000+128M
actor reader ptdump linear+1G 8K
actor remover remove 0x80000000+128M
explore
END

whole=$("$pgtsim" run --quiet "$dir/race.pgt") || fail "run: $whole"

# Each shard once, in any order; their union is the whole.
if parallel --version 2>/dev/null | grep -q GNU; then
	parallel "$pgtsim" explore --shard={}/3 --shard-out="$dir/part{}" "$dir/race.pgt" \
		::: 1 2 3 > /dev/null
else
	for i in 3 1 2; do
		"$pgtsim" explore --shard=$i/3 --shard-out="$dir/part$i" "$dir/race.pgt" > /dev/null
	done
fi
merged=$("$pgtsim" explore --merge "$dir/part1" "$dir/part2" "$dir/part3")
[ "$merged" = "$whole" ] || fail "three shards: '$merged', one search: '$whole'"

# Exploring a shard again finds the same: nothing depends on chance.
"$pgtsim" explore --shard=2/3 --shard-out="$dir/again" "$dir/race.pgt" > /dev/null
cmp -s "$dir/again" "$dir/part2" || fail "a shard explored twice differs"

refuse() {
	said=$1
	shift
	out=$("$pgtsim" explore --merge "$@" 2>&1)
	[ $? -eq 2 ] || fail "merge $*: exit status"
	case $out in
	*"$said"*) ;;
	*) fail "merge $*: '$out'" ;;
	esac
}
refuse "shard 2/3 is missing" "$dir/part1" "$dir/part3"
refuse "shard 1/3 is there twice" "$dir/part1" "$dir/part2" "$dir/part3" "$dir/part1"
"$pgtsim" explore --shard=1/2 --shard-out="$dir/other" "$dir/race.pgt" > /dev/null
refuse "different searches" "$dir/part1" "$dir/other"
head -2 "$dir/part1" > "$dir/cut"
refuse "cut off" "$dir/cut"

# Processes find the same, and tell the same failure.
out=$("$pgtsim" explore --jobs=3 "$dir/race.pgt")
[ "$out" = "$whole" ] || fail "three processes: '$out', one: '$whole'"
one=$("$pgtsim" run --quiet "$dir/fails.pgt" | head -2)
out=$("$pgtsim" explore --jobs=2 "$dir/fails.pgt" | head -2)
[ "$out" = "$one" ] || fail "two processes: '$out', one: '$one'"

# Ctrl-C prints what was found so far.
"$pgtsim" run --quiet "$dir/four.pgt" > "$dir/out" 2> "$dir/err" &
pid=$!
sleep 2
kill -INT $pid
wait $pid
[ $? -eq 130 ] || fail "Ctrl-C: exit status"
grep -q "^explored [0-9]* schedules, 0 failed (not all: stopped, an estimated [0-9]* in all)" \
	"$dir/out" || fail "Ctrl-C: $(cat "$dir/out" "$dir/err")"

# A bound says when it bites; a schedule that cannot run as it is written is an error.
sed 's/^explore/explore bound=3/' "$dir/race.pgt" > "$dir/bound.pgt"
"$pgtsim" run --quiet "$dir/bound.pgt" | grep -q "3 schedules.*stopped at the bound" ||
	fail "bound"
sed 's/^explore/explore random runs=20 seed=5/' "$dir/race.pgt" > "$dir/random.pgt"
"$pgtsim" run --quiet "$dir/random.pgt" | grep -q "20 schedules, 0 failed (not all: random" ||
	fail "random"
sed 's/^explore/explore preemptions=0/' "$dir/race.pgt" > "$dir/few.pgt"
"$pgtsim" run --quiet "$dir/few.pgt" | grep -q "preemptions are left out" || fail "preemptions"
sed 's/^explore/explore schedule=reader*3,remover*9999999/' "$dir/fails.pgt" > "$dir/saved.pgt"
out=$("$pgtsim" run --quiet "$dir/saved.pgt" 2>&1)
[ $? -eq 1 ] || fail "a schedule that cannot run: exit status"
case $out in
*"word 2 of the schedule cannot run as written"*"remover has ended"*) ;;
*) fail "a schedule that cannot run: '$out'" ;;
esac

# A schedule that failed fails again, checker or not: it counts what the modelled code does.
saved=$("$pgtsim" run --quiet "$dir/fails.pgt" | sed -n 's/^again with: //p')
for checker in on off; do
	sed "s/^explore/explore $saved/; s/^machine/machine checker=$checker/" "$dir/fails.pgt" \
		> "$dir/saved.pgt"
	"$pgtsim" run --quiet "$dir/saved.pgt" | grep -q "^explored 1 schedule, 1 failed" ||
		fail "saved schedule, checker $checker"
done
exit $failed
