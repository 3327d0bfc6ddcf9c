#!/usr/bin/env bash
# cli.sh
#
# The command as a user meets it: exit statuses, what goes to which stream, options and files.
# $PGTSIM_COMMAND is the command, $PGTSIM_TEST_DATA the directory of the recordings.
set -euo pipefail

pgtsim=$PGTSIM_COMMAND
recordings=$PGTSIM_TEST_DATA/recordings

here=$(cd "$(dirname "$0")" && pwd)
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
is err 'not-there: there is no such file'
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

# A pipe or a device that a scenario names is no listing; the command neither waits for it nor reads on.
mkfifo pipe
scenario 'machine iomem=pipe'
run 1 run s
has err 'pipe: it is not a regular file'
scenario 'machine iomem=/dev/zero'
run 1 run s
has err '/dev/zero: it is not a regular file'

# Input without an end is refused before it takes all memory.
run 2 run /dev/zero
has err '/dev/zero: it is too large'

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

# The report shows the error that happened, and says "nothing to do" only where that is so.
scenario machine 'add 0x80000000+1T'
run 1 run s
has out '-ENOMEM'
has out 'no entry was written'
! grep -qE 'EIO|nothing to do' out || fail 'the report tells of another error'
is err "s:2: add 0x80000000+1T: no memory for table 262144 of the 525315 that the mapping needs (ENOMEM)"
scenario machine 'expect-error ENOMEM add 0x80000000+128M'
run 1 run s
has out 'no error, -ENOMEM was expected'

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
# Any name of a file, any text in a scenario: the XML is well-formed.
odd=$'a\x01<&"\xff\xe2\x82\xed\xa0\x80\xc3\xbc'
printf '%s\n' machine $'note \xc3\xbc' 'expect tables.pgd == 1' >"$odd"
run 0 run --junit=junit "$odd"
python3 -c '
import xml.etree.ElementTree as etree
name = etree.parse("junit").getroot().get("name")
assert name.startswith("a?<&\"??") and name.endswith("\u00fc"), name
' || fail "$last_run: the JUnit file of an odd name"
rm "$odd"
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

# Another architecture's entries and geometry; what it does not have is refused.
while IFS='|' read -r status text words; do
	# shellcheck disable=SC2086
	run "$status" $words
	has "$([ "$status" -eq 0 ] && echo out || echo err)" "$text"
done <<'END'
0|granule 4K, 3 levels, VA of 42 bits|geometry --format=s390
0|region 0x0000000000000000 to 0x001fffffffffffff|geometry --format=s390 --va=53 --edat=1
0|granule 4K|geometry --format=arm64
2|no address space of 48 bits|geometry --format=s390 --va=48
2|no address space of 65 bits|geometry --format=s390 --va=65
2|--va-actual and --pa are for arm64|geometry --format=s390 --va-actual=42
2|--va-actual and --pa are for arm64|geometry --format=s390 --pa=48
2|edat=3: 0 is pages alone|geometry --format=s390 --edat=3
2|s390 has no pages of 16K|geometry --format=s390 --granule=16K
2|--edat is for s390|geometry --edat=1
2|4K pages and 65 VA bits; use one of 39, 48, 52|geometry --va=65
2|va-actual=65: a kernel of 48 bits|geometry --va-actual=65
2|pa=65: Linux is built for 48 or 52 bits|geometry --pa=65
2|a size is beyond 32 bits|geometry --granule=8G
2|there is no format 'x86'; use arm64 or s390|geometry --format=x86
2|'x' is not a number|geometry x
0|large: a leaf|decode --format=s390 --level=pmd 0x100003503
0|at level 3 (pte): page|decode --format=s390 --level=pte 0x10000033d
0|at level 3 (pte): none|decode --format=s390 --level=pte 0x400
0|at level 3 (pte): invalid|decode --format=s390 --level=pte 0x100003503
0|invalid: a walk that gets here faults|decode --format=s390 --level=pmd 0x20
0|of a region-third table|decode --format=s390 --level=pgd 0xc007
0|2G of it|decode --format=s390 --edat=2 --level=pgd 0x80003507
0|of a region-second table|decode --format=s390 --va=53 --level=pgd 0xc00b
0|half-page-tables           on               on               off              off|profiles --format=s390
0|The profiles of s390: pgtsim profiles --format=s390|profiles
2|there is no format 'x86'; use arm64 or s390|profiles --format=x86
2|only arm64's kernels are swept, not 's390-7.3'|sweep --profiles=s390-7.3
END

# Each knob has a row in a table of profiles, and one that says what it is.
"$pgtsim" profiles >tables
"$pgtsim" profiles --format=s390 >>tables
for knob in $("$pgtsim" list knobs | cut -f1); do
	[ "$(grep -cE "^ *$knob " tables)" -ge 2 ] || fail "profiles: no row or no meaning of $knob"
done

# Each format lists the knobs that its functions ask for, and takes no other one.
for format in arm64 s390; do
	"$pgtsim" profiles --format=$format >listed
	for knob in $("$pgtsim" list knobs | cut -f1); do
		value=$(sed -n "s/^  $knob .*[:|]//p" tables | head -n 1)
		echo "machine format=$format $knob=$value" >knob
		if grep -q "^$knob " listed; then
			# The last value of some is the other format's alone.
			"$pgtsim" run knob >out 2>&1 || grep -q "$knob=$value is s390's" out ||
				fail "profiles: $knob of $format is refused"
		elif "$pgtsim" run knob >out 2>&1; then
			fail "profiles: $knob is not of $format, but is taken"
		fi
	done
done

# Every level hint of every granule is either one that the architecture reserves or names a level.
for geometry in '--granule=4K' '--granule=4K --va=52' '--granule=16K --va=47' \
	'--granule=16K --va=52' '--granule=64K --va=52'; do
	for ttl in 4 5 6 7 8 9 a b c d e f; do
		# shellcheck disable=SC2086
		run 0 decode $geometry tlbi vaae1is "0x${ttl}00000000000"
		has out "TTL       0x$ttl: "
		has out ' granule, level '
	done
done

# Files that are none, and numbers that there are not.
printf 'machine\nmapx\n' >wrong
: >empty
printf '# nothing\n\n' >comment
scenario 'machine' 'map linear+0 2G 4K' 'check'
while IFS='|' read -r text words; do
	# shellcheck disable=SC2086
	run 2 $words
	has err "$text"
done <<'END'
--jobs takes 1 to|explore --jobs=100000 s
--jobs takes 1 to|explore --jobs=2 --shard=1/2 s
wrong:2: unknown command|explore wrong
nothere: |explore nothere
nothere: |explore --merge nothere
s: not what --shard-out writes|explore --merge s
pgtsim explore: |explore --merge empty
wrong:2: unknown command|draw wrong
nothere: |draw nothere
moments 0 to|draw --at=999999 s
nothere: |judge nothere
empty:1: there is no command|run empty
comment:2: there is no command|run comment
wrong:2: unknown command|cost wrong
nothere: |cost nothere
one argument too many|sweep wrong
wrong:2: unknown command|compare wrong@latest wrong@linux-5.10
no profile is ''|sweep --profiles=
no geometry is ''|sweep --geometries=
--trace would write over the scenario s|run --trace=s s
--trace would write over the scenario s|run --trace=./s s
--junit would write over the scenario s|run --junit=s s
--trace and --junit would both write new|run --trace=new --junit=new s
--shard-out would write into the scenario s|explore --shard=1/2 --shard-out=s s
no-folder/t: there is no folder for it|run --trace=no-folder/t s
no-folder/t: there is no folder for it|run --junit=no-folder/t s
'': there is no folder for it|run --trace= s
'strict=maybe' is not strict=on or strict=off|judge s strict=maybe
'x' is not key=value; one trace at a time|judge s x
s: it cannot be loaded: |kernel info s
Linux has no configuration|kernel build --va=99 tree -o k
Linux has no configuration|kernel build --granule=8G tree -o k
Linux has no configuration|kernel build --pa=99 tree -o k
Linux has no configuration|kernel build --granule=5K tree -o k
END

has s 'map linear+0 2G 4K'
run 2 run ''
is err "'': there is no such file"

# Memory of many neighbours that is freed too early is one line, of a few it is a line each.
scenario 'machine format=s390 edat=0' 'add 0x100000000+256M' 'remove 0x100000000+256M' 'check'
run 1 run --quiet s
has out 'PFN 0x10b, and 255 like it up to 0x00000371840ff000; instead'
[ "$(wc -l <out)" -eq 1 ] || fail "$(wc -l <out) lines of alike violations"
scenario 'machine format=s390 edat=1' 'add 0x100000000+256M' 'remove 0x100000000+256M' 'check'
run 1 run --quiet s
[ "$(grep -c '^freed-while-mapped' out)" -eq 6 ] || fail 'a few violations are not told one by one'

# What works on s390's tables, and what is refused there.
while IFS='|' read -r text line; do
	scenario 'machine format=s390 edat=1' 'add 0x100000000+256M' "${line//\\n/$'\n'}"
	"$pgtsim" run s >out 2>&1 || true
	has out "$text"
done <<'END'
s390 invalidates all at once, for all CPUs: tlbi all|tlbi leaf 0x100000000
s390 has no such barrier: stores keep their order|barrier isb
format=s390 does not know how|protect 0x100000000 1M ro
format=s390 does not know how|split 0x100000000 1M
format=s390 does not know how|vmap 0x1000000000 0x0 1M
format=s390 has no actor 'vmalloc' yet|actor a vmalloc linear+8G 1\nexplore
explored 1 schedule, 1 failed|actor a remove 0x100000000+256M\nexplore
> tlbi all|tlbi all
0x0000000100000000|walk 0x100000000
pmd 0x000000010ff00000 0x000000010ff03503 block|dump
prot, blocks, cont and tables are arm64's|map linear+8G 0x200000000 1M prot=rx
prot, blocks, cont and tables are arm64's|map linear+8G 0x200000000 1M cont=off
vmemmap    remove          4 leaves cleared, 1 table freed, 1024 pages freed, 1 IDTE|remove 0x100000000+256M
END

# s390 had its own memmap on memory later than arm64.
scenario 'machine format=s390 profile=s390-6.1' 'add 0x100000000+256M memmap-on-memory'
run 1 run s
has err 'this kernel has no memmap on memory: that came with 6.8'

# A drawing of s390's tables has their addresses, which begin at 0.
scenario 'machine format=s390 edat=1' 'add 0x100000000+256M'
run 0 draw s
has out '>0x0000000100000000<'
! grep -q '0xffff' out || fail "draw: addresses of arm64's region for s390"

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
for arguments in '' 'nonsense' '--nonsense' 'run' 'run --nonsense s' 'run --quiet' \
	'replay' 'profiles nonsense' 'decode' 'decode nonsense' 'geometry nonsense' \
	'geometry --granule=5K' 'gallery nonsense' 'gallery B99' 'gallery B1 B2' \
	'run --quiet=yes s' 'run --trace' 'run --step s s' 'run --junit=junit s s' 'list' \
	'list nonsense' 'list knobs counters' 'sweep nonsense' 'draw' 'draw --at=x s'; do
	# shellcheck disable=SC2086
	run 2 $arguments
	empty out
	[ -s err ] || fail "$last_run: no message"
done

# What was meant is asked about what is misspelt.
suggests() {
	local wanted=$1
	shift
	run 2 "$@"
	has err "did you mean '$wanted'?"
}
suggests run rnu
suggests --quiet run --quite s
suggests --geometries sweep --geometrie=4K/48
suggests linux-6.12 run --profile=linux-6.122 s
suggests linux-6.12 draw --profile linux-6.112 s
suggests violations list violation
suggests --help profiles --hepl

# An option's value may stand behind it; -h is --help; after -- there are no options.
scenario machine 'echo hello'
run 0 run --quiet --profile linux-5.7 s
is out hello
run 2 run --profile
has err "a value is missing after '--profile'"
run 0 run -h
has out 'pgtsim run'
run 0 -h
has out 'pgtsim run'
cp s -- --quiet
run 0 run --quiet -- --quiet
is out hello
rm -- --quiet
for command in replay cost compare sweep profiles draw gallery decode geometry list; do
	run 0 "$command" -h
	has out "pgtsim $command"
done

# Several scenarios: each is run, and the worst decides.
scenario machine 'echo hello'
printf '%s\n' machine 'expect tables.pgd == 2' >false
run 0 run s s
has out '=== s'
run 0 run --quiet s s
is out $'hello\nhello'
run 1 run --quiet false s
is out hello
has err 'false:2: '
run 2 run --quiet not-there false s
is out hello
run 2 run --trace=trace s s
has err '--trace is for one scenario'

# The lists are JSON, and have what is known to be there.
for list in commands:run scenario:unmap-range counters:tlbi.all knobs:flush violations:stale-leaf \
	profiles:linux-6.12 constants:isb; do
	run 0 list "${list%:*}"
	grep -q "^${list#*:}	" out || fail "pgtsim list ${list%:*}: no ${list#*:}"
	run 0 list --json "${list%:*}"
	python3 -c '
import json, sys
rows = json.load(open("out"))
assert [row for row in rows if row["name"] == sys.argv[1]], rows
assert all("meaning" in row for row in rows)
' "${list#*:}" || fail "pgtsim list --json ${list%:*}"
done

# Completion by bash knows what the command says of itself.
completes() {
	local wanted=$1
	shift
	PATH=$(dirname "$pgtsim"):$PATH bash -c '
		. "$1"; shift
		COMP_WORDS=(pgtsim "$@"); COMP_CWORD=$#
		_pgtsim
		printf "%s\n" "${COMPREPLY[@]}"
	' - "$here/../src/cli/completion.bash" "$@" >out
	grep -qxF -- "$wanted" out || fail "completion of '$*': no $wanted: $(head -n 3 out)"
}
completes judge ju
completes --trace= run --tr
completes linux-6.12 run --profile = linux-6.1
completes linux-5.7 sweep --profiles = ''
completes violations list v
completes --json list knobs --j
completes --help profiles -

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
