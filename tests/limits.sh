#!/usr/bin/env bash
# limits.sh
#
# What a run of the command may take of the host, and how it ends when it is told to.
# $PGTSIM_COMMAND is the command.
set -euo pipefail

pgtsim=$PGTSIM_COMMAND
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# expect STATUS TEXT ARGUMENT...: the command ends so and says this, and what it did before is there.
expect() {
	local wanted=$1 text=$2 status=0
	shift 2
	"$pgtsim" "$@" >out 2>err || status=$?
	[ "$status" -eq "$wanted" ] && grep -qF -- "$text" out err && return
	printf 'FAILED: pgtsim %s: status %s, not %s, or no "%s":\n' "$*" "$status" "$wanted" "$text"
	head -n 5 out err
	exit 1
}

# A search that takes for ever: three actors that write one table.
cat >search.pgt <<'END'
machine
echo before
actor a vmalloc 0xffff800000000000 8
actor b vmalloc 0xffff800000010000 8
actor c ptdump 0xffff800000000000 64K
explore
echo behind
END
expect 0 'not all' run --max-schedules=5 search.pgt
grep -q '^explored 5 schedules' out
expect 4 '--max-time' run --max-time=1 search.pgt
grep -q before out
if grep -qx behind out; then exit 1; fi
grep -q ':7: stopped before this line' err

# Ctrl-C: what there is, and 130. It is sent once the search is under way.
python3 - "$pgtsim" <<'END'
import signal, subprocess, sys, time
run = subprocess.Popen([sys.argv[1], "run", "--quiet", "search.pgt"], stdout=subprocess.PIPE,
                       preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
time.sleep(1)
run.send_signal(signal.SIGINT)
out = run.communicate(timeout=60)[0].decode()
assert run.returncode == 130 and "before" in out and "explored" in out, (run.returncode, out)
END

# A memmap of 1T in base pages: refused at the limit, which is named. Sanitizers have no such limit.
printf '%s\n' 'machine ram=0x40000000+256G' 'vmemmap-populate vmemmap+0 vmemmap+128G pages' >large.pgt
if ! grep -qa __asan_init "$pgtsim" && ! grep -qa __tsan_init "$pgtsim"; then
	expect 3 'may take 64M of memory: --max-memory=SIZE' run --quiet --max-memory=64M large.pgt
	# A line of a trace that does not fit into memory is not its end.
	(
		ulimit -v 100000
		printf '%s\n' '{"op":"isb"}' >trace
		truncate -s 200M trace
		expect 3 'the host is out of memory' judge trace
	)
fi
printf '%s\n' machine 'echo here' >small.pgt
expect 0 here run --max-memory=0 --max-time=0 --max-schedules 0 small.pgt
expect 2 "--max-memory: '1X' is not a number" run --max-memory=1X small.pgt
expect 2 "did you mean '--max-time'" run --max-tim=1 small.pgt

# Standard output that is closed is no place for a trace, nor for anything else.
status=0
"$pgtsim" run --trace=trace small.pgt >&- 2>err || status=$?
[ "$status" -eq 2 ] && grep -q 'standard output' err
if grep -q here trace; then exit 1; fi
