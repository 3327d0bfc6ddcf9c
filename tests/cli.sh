#!/usr/bin/env bash
# cli.sh
#
# The command as a user meets it: exit statuses, what goes to which stream, options and files.
# $PGTSIM_COMMAND is the command, $PGTSIM_TEST_DATA the directory of the recordings.
set -euo pipefail

pgtsim=$PGTSIM_COMMAND
recordings=$PGTSIM_TEST_DATA/recordings

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

failures=0

fail() {
	printf 'FAILED: %s\n' "$*"
	failures=$((failures + 1))
}

# scenario LINE...: the scenario of the next runs, in the file `s`.
scenario() {
	printf '%s\n' "$@" >s
}

# run STATUS ARGUMENT...: runs the command and checks its exit status. Its output is left in
# `out` and `err`; standard input is the file `in` if there is one.
run() {
	local wanted=$1 status=0 input=/dev/null
	shift
	[ ! -e in ] || input=in
	"$pgtsim" "$@" <"$input" >out 2>err || status=$?
	[ "$status" -eq "$wanted" ] || fail "pgtsim $*: status $status, not $wanted: $(head -n 3 err)"
	last_run="pgtsim $*: $(head -c 200 s 2>/dev/null | head -n 4 | tr '\n' ';')"
}

# One of the last run's streams is empty, has this text in it, or is exactly this.
empty() {
	[ ! -s "$1" ] || fail "$last_run: $1 is not empty: $(head -n 2 "$1")"
}

has() {
	grep -qF -- "$2" "$1" || fail "$last_run: no '$2' in $1: $(head -n 3 "$1")"
}

is() {
	[ "$(cat "$1")" = "$2" ] || fail "$last_run: $1 is not '$2': $(head -n 3 "$1")"
}

# says LINE: one line on standard error, FILE:LINE: message.
says() {
	[ "$(wc -l <err)" -eq 1 ] || fail "$last_run: not one line: $(head -n 3 err)"
	grep -qE "^s:$1: ." err || fail "$last_run: not about line $1: $(cat err)"
}

# --- Exit statuses of run ----------------------------------------------------

# Everything holds, or fails as expected.
succeeds() {
	scenario "$@"
	run 0 run s
	empty err
}

succeeds machine
succeeds '# comment' '' 'machine profile=linux-5.7 # another' 'check'
succeeds machine 'add 0x80000000+128M' 'remove 0x80000000+128M' 'expect tables.pte == 0' check
succeeds machine 'expect-error EINVAL add 0x80000000+1'
succeeds machine 'try add 0x80000000+1' 'try add 0x80000000+128M' 'expect tables.pte > 0'
succeeds 'machine granule=64K va=52 va-actual=48' 'walk linear+0' 'stats' 'dump ptdump'

# What ends a run: a command, an expectation, a violation.
ends_at() {
	local line=$1
	shift
	scenario "$@"
	run 1 run s
	says "$line"
}

ends_at 2 machine 'add 0x80000000+1'
ends_at 1 'machine ram=0x40000001+1G'
ends_at 1 'machine profile=linux-6.1 va=52'
ends_at 1 'machine iomem=not-there'
ends_at 3 machine '# in between' 'expect tables.pgd == 2'
ends_at 2 machine 'expect-error ENOMEM add 0x80000000+1'
ends_at 2 machine 'expect-error EINVAL add 0x80000000+128M'
ends_at 3 machine 'map linear+0 0x80000000 2M blocks=off' 'map linear+0 0x80000000 2M blocks=off'
ends_at 4 machine 'map linear+0 0x80000000 4K' 'poke pmd linear+0 0' check
has out 'table-leak'

# Nothing is executed if anything is wrong with the text, wherever it stands.
refuses() {
	local line=$1
	shift
	scenario "$@"
	run 2 run s
	says "$line"
	empty out
}

refuses 3 machine 'echo hello' 'nonsense'
refuses 3 machine 'echo hello' 'add 0x80000000+128M sideways'
refuses 3 machine 'echo hello' 'expect no.such.counter == 1'
refuses 3 machine 'echo hello' 'expect tables.pgd = 1'
refuses 3 machine 'echo hello' 'expect-error ENOSUCH add 0x80000000+128M'
refuses 3 machine 'echo hello' 'expect-error EINVAL check'
refuses 3 machine 'echo hello' 'try try add 0x80000000+128M'
refuses 3 machine 'echo hello' 'machine'
refuses 3 machine 'echo hello' 'map linear+0 0x8000000g 4K'
refuses 1 'echo hello' 'machine'
refuses 1 'machine profile=linux-4.19'
refuses 1 'machine colour=blue'
refuses 1 'machine granule'
refuses 1 ''

# --- Files --------------------------------------------------------------------

# Standard input, and messages that say so.
printf 'machine\necho from a pipe\n' >in
run 0 run --quiet -
is out 'from a pipe'
printf 'machine\nnonsense\n' >in
run 2 run -
has err '-:2: '
rm in

# What is no scenario at all.
for file in "$pgtsim" /dev/urandom; do
	head -c 4096 "$file" >binary
	run 2 run binary
	grep -qE '^binary:[0-9]+: .' err || fail "pgtsim run binary: $(head -n 3 err)"
	empty out
done
: >nothing
run 2 run nothing
run 2 run not-there
is err 'not-there: No such file or directory'
run 2 run "$work"
has err "$work: "
if [ "$(id -u)" -ne 0 ]; then
	scenario machine
	chmod 000 s
	run 2 run s
	has err 's: '
	rm -f s
fi

# A listing is looked for beside the scenario, not where the command runs.
mkdir elsewhere
printf '80000000-bfffffff : System RAM\n' >elsewhere/iomem
printf '40000000-7fffffff : System RAM\n' >iomem
printf '%s\n' 'machine iomem=iomem boot=on' 'walk linear+0' >elsewhere/s
run 0 run --quiet elsewhere/s
has out '0x0000000080000000'
run 0 run --quiet "$work/elsewhere/s"
printf '%s\n' "machine iomem=$work/iomem boot=on" 'walk linear+0' >elsewhere/s
run 0 run --quiet elsewhere/s
has out '0x0000000040000000'
printf 'machine iomem=iomem boot=on\nwalk linear+0\n' >in
run 0 run --quiet -
has out '0x0000000040000000'
rm in
cp "$pgtsim" elsewhere/iomem
printf 'machine iomem=iomem\n' >elsewhere/s
run 1 run elsewhere/s

# Output that is lost is an error, however much of it there is.
if [ -w /dev/full ]; then
	scenario machine 'map linear+0 0x80000000 64M blocks=off' 'dump'
	for command in "run --quiet s" "run s" "profiles" "--help" "geometry" "gallery all" \
		"replay $recordings/612-4k-va48.json"; do
		status=0
		# shellcheck disable=SC2086
		"$pgtsim" $command >/dev/full 2>err || status=$?
		[ "$status" -eq 2 ] || fail "pgtsim $command >/dev/full: status $status"
		grep -q '^standard output: ' err || fail "pgtsim $command >/dev/full: $(cat err)"
	done
	for option in --trace --junit; do
		run 2 run --quiet $option=/dev/full s
		has err '/dev/full: '
	done
	scenario machine
	run 2 run --trace=/dev/full s
fi
scenario machine
run 2 run --trace=not/there s
has err 'not/there: '
run 2 run --junit=not/there s
has err 'not/there: '

# --- Options ------------------------------------------------------------------

# --quiet leaves dump, walk, stats, check and echo; without it there is a report.
scenario machine 'note a caption' 'add 0x80000000+128M' 'remove 0x80000000+128M' \
	'expect tables.pte == 0' 'check'
run 0 run --quiet s
empty out
run 0 run s
for text in 'a caption' 'linear map pass 1' 'vmemmap    pass 2' 'tables before' 'tables after'; do
	has out "$text"
done
scenario machine 'echo hello   there' 'map linear+0 0x80000000 4K blocks=off' 'dump leaves' \
	'stats' 'walk linear+0'
run 0 run --quiet s
has out 'hello   there'
has out 'pte 0xffff000000000000 0x00e8000080000707 page'
has out 'leaves.mapped 1'
[ "$(grep -c '^hello' out)" -eq 1 ] || fail 'echo is printed twice'

# --profile wins over the scenario; scenario and command line may name any of them.
scenario 'machine profile=linux-5.7' 'add 0x80000000+128M' 'reset-stats' \
	'remove 0x80000000+128M' 'stats'
run 0 run --quiet s
has out 'tlbi.all 0'
run 0 run --quiet --profile=latest s
has out 'tlbi.all 1'
run 2 run --profile=linux-4.19 s
has err "linux-4.19"
empty out

# Every line of a trace is JSON, the first says which version.
check_trace() {
	python3 -c '
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert lines[0]["version"] == 1, lines[0]
assert len(lines) > 10 and all("op" in line for line in lines[1:])
' "$1" || fail "$last_run: the trace in $1"
}
for geometry in 'granule=4K va=48' 'granule=16K va=47' 'granule=64K va=52' 'profile=linux-5.7'; do
	scenario "machine $geometry section=32M" 'add 0x80000000+32M' 'poke pte linear+1G 2' \
		'remove 0x80000000+32M'
	run 0 run --trace=trace s
	check_trace trace
	has out 'pass 1'
	run 0 run --quiet --trace=- s
	check_trace out
	cmp -s trace out || fail 'the trace depends on where it goes'
done

# A test case for each expect, expect-error and check, and for what ended the run.
check_junit() {
	python3 -c '
import sys, xml.etree.ElementTree as etree
suite = etree.parse("junit").getroot()
cases = suite.findall("testcase")
failed = suite.findall("testcase/failure")
wanted = [int(argument) for argument in sys.argv[1:]]
assert suite.tag == "testsuite" and suite.get("name") == "s"
assert [len(cases), len(failed)] == wanted, etree.tostring(suite)
assert [int(suite.get("tests")), int(suite.get("failures"))] == wanted
assert all(failure.get("message") for failure in failed)
' "$@" || fail "$last_run: the JUnit file"
}
scenario machine 'expect tables.pgd == 1' 'try add 0x80000000+1' \
	'expect-error EINVAL add 0x80000000+1' 'expect tables.pte < 1' 'echo "<&>'"'" check
run 0 run --junit=junit s
check_junit 4 0
scenario machine 'expect tables.pgd < 1' 'expect tables.pgd == 1'
run 1 run --junit=junit s
check_junit 1 1
scenario machine check 'add 0x80000000+1' check
run 1 run --junit=junit s
check_junit 2 1
scenario 'machine iomem=<"a&b">'
run 1 run --junit=junit s
check_junit 1 1
rm junit
scenario machine nonsense
run 2 run --junit=junit s
[ ! -e junit ] || fail 'a JUnit file of a scenario that was not run'

# Colour is for terminals, and only for those who want it.
scenario machine 'add 0x80000000+128M'
run 0 run s
! grep -q $'\033' out || fail 'colour in a file'
on_terminal() {
	python3 -c '
import os, pty, sys
pty.spawn(sys.argv[1:], lambda fd: os.read(fd, 4096))
' "$@" </dev/null >out
}
if on_terminal true 2>/dev/null; then
	NO_COLOR='' on_terminal "$pgtsim" run s
	grep -q $'\033' out || fail 'no colour on a terminal'
	NO_COLOR=1 on_terminal "$pgtsim" run s
	! grep -q $'\033' out || fail 'colour in spite of NO_COLOR'
	has out 'linear map'
fi

# --- The other commands -------------------------------------------------------

# Help is an answer, not an error; each part of the command has some.
for command in run replay profiles gallery decode geometry; do
	run 0 "$command" --help
	has out "pgtsim $command"
	empty err
	run 0 --help
	has out "pgtsim $command"
done
run 0 help
empty err
run 0 --version
has out 'pgtsim '
run 0 run s --help
has out 'pgtsim run'

# What is not known is said on standard error, with status 2.
for arguments in '' 'nonsense' '--nonsense' 'run' 'run --nonsense s' 'run s s' 'run --quiet' \
	'replay' 'profiles nonsense' 'decode' 'decode nonsense' 'geometry nonsense' \
	'geometry --granule=5K' 'gallery nonsense' 'gallery B11' 'gallery B1 B2' \
	'run --quiet=yes s'; do
	# shellcheck disable=SC2086
	run 2 $arguments
	empty out
	[ -s err ] || fail "$last_run: no message"
done

# All knobs of all profiles, each of which `machine` takes.
run 0 profiles
for name in linux-5.7 linux-5.10 linux-5.14 linux-6.1 linux-6.12 linux-7.3 latest flush \
	map-failure populate-failure add-failure vmemmap-partial block-failure free-tables \
	leaf-split; do
	has out "$name"
done
sed -n '2,/^$/p' out | while read -r knob values; do
	[ -z "$knob" ] || echo "machine $knob=${values##* }"
done >knobs
[ "$(wc -l <knobs)" -ge 8 ] || fail 'profiles: few knobs'
while read -r line; do
	succeeds "$line"
done <knobs

# Replaying: everything as recorded, something not, no recording; the worst of several counts.
good=$recordings/612-4k-va48.json
sed 's/"e8000080000707"/"e8000080000703"/' "$good" >altered.json
printf '{"steps": []}\n' >other.json
run 0 replay "$good"
is out "$good: 8 steps, 394029 descriptors compared, 0 differ"
empty err
cp "$good" in
run 0 replay -
has out '-: 8 steps, 394029 descriptors compared, 0 differ'
rm in
run 1 replay altered.json
has out 'altered.json: 8 steps, '
run 1 replay "$good" altered.json "$good"
run 2 replay other.json
run 2 replay not-there.json
run 2 replay binary
run 2 replay altered.json binary "$good"
has out 'altered.json: 8 steps, '
has out "$good: 8 steps, "

[ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
