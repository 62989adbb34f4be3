#!/bin/sh
# Two at once, a signal in the middle, and a disk that is really full.
. "${FW_SOURCE:?}/tests/lib.sh"
make_project p
make_plugin slow relabel <<'PLUGIN'
echo $$ >"$FLYWHEEL_PROJECT/slow.pid"
while [ ! -e "$FLYWHEEL_PROJECT/go" ]; do sleep 0.05; done
echo '{"op":"confirm","id":"s0000","label":"ant"}' >"$FLYWHEEL_OUT_PATCH"
PLUGIN
{
    yaml_base
    echo '  slow: {kind: relabel, plugin: slow}'
    yaml_loop
} >flywheel.yaml

# Not one that is dead and only waits to be noticed by its parent.
alive() {
    [ -d "/proc/$1" ] && ! grep -q '^State:.*Z' "/proc/$1/status"
}

# --- one at a time
"$flywheel" run --id one >one.log 2>&1 &
first=$!
ok
wait_for 60 test -s slow.pid || fail "the first run does not begin" one.log
expect_exit 5 "$flywheel" run --id two
says "$first" "flywheel run" "hint: " "--wait"
expect_exit 5 "$flywheel" resume one
expect_exit 5 "$flywheel" snapshot import
# Looking on is no reason to wait.
expect_exit 0 "$flywheel" status
says "run        one" "status     running"
expect_exit 0 "$flywheel" show
"$flywheel" run --wait --id two >two.log 2>&1 &
second=$!
sleep 0.5
ok
kill -0 $second 2>/dev/null || fail "--wait does not wait" two.log
ok
[ ! -e .flywheel/runs/two ] || fail "the second run began beside the first"
: >go
wait $first
expect_same "the first run" $? 0
wait $second
expect_same "the second run" $? 0
expect_exit 0 "$flywheel" show --runs
says "one  stopped" "two  stopped"

# --- signals: what runs is ended, the run can be resumed
for signal in INT TERM; do
    rm -f go slow.pid
    # In an interactive shell's job the signal comes from the terminal; sh starts background jobs
    # with SIGINT ignored, so a shell between sets it back.
    number=2
    [ $signal = INT ] || number=15
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$flywheel" run --new --id "sig-$signal" \
        --set "stages.slow.env={FRESH: $signal}" >sig.log 2>&1 &
    pid=$!
    ok
    wait_for 60 test -s slow.pid || fail "the run does not begin" sig.log
    read -r stage <slow.pid
    kill -$signal $pid
    wait $pid
    expect_same "exit after SIG$signal" $? $((128 + number))
    expect_text sig.log "\`flywheel resume\` will go on from here"
    ok
    ! alive "$stage" || fail "the stage is left running after SIG$signal"
    expect_exit 0 "$flywheel" status
    says "status     interrupted" "next       flywheel resume"
    : >go
    expect_exit 0 "$flywheel" resume
    says "run sig-$signal resumed"
done

# A killed engine leaves no lock, and its stage is ended by the next.
rm -f go slow.pid
"$flywheel" run --id killed --set 'stages.slow.env={FRESH: killed}' >killed.log 2>&1 &
pid=$!
wait_for 60 test -s slow.pid || fail "the run does not begin" killed.log
read -r stage <slow.pid
kill -9 $pid
wait $pid 2>/dev/null
expect_exit 0 "$flywheel" status
says "status     interrupted"
rm slow.pid
"$flywheel" resume >resumed.log 2>&1 &
pid=$!
wait_for 60 test -s slow.pid || fail "the run does not go on" resumed.log
ok
! alive "$stage" || fail "the killed run's stage runs beside the resumed one's"
: >go
wait $pid
expect_same "the resumed run" $? 0

# --- a small file system that is full
[ "$(id -u)" = 0 ] || { echo "the full disk: skipped, not root" && done_testing; }
mkdir "$work/disk"
mount -t tmpfs -o size=4m tmpfs "$work/disk" 2>/dev/null ||
    { echo "the full disk: skipped, cannot mount" && done_testing; }
trap 'cd /; umount "$work/disk" 2>/dev/null; rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=1700000000
cd "$work" && make_project whole
expect_exit 0 "$flywheel" run --id one
champion=$(tip)
cp -r "$work/whole" "$work/disk/q" && cd "$work/disk/q" || exit 1
rm -rf .flywheel flywheel.lock
git update-ref -d refs/heads/flywheel/bugs
git for-each-ref --format='delete %(refname)' refs/flywheel | git update-ref --stdin
for free in 40 120 300; do
    rm -f "$work/disk/ballast"
    space=$(df -k --output=avail "$work/disk" | tail -1)
    [ "$space" -gt $free ] || continue
    head -c $(((space - free) * 1024)) /dev/zero >"$work/disk/ballast"
    if [ -e .flywheel/runs/one/journal.jsonl ]; then
        run "$flywheel" resume
    else
        run "$flywheel" run --id one
    fi
    ok
    [ $code = 0 ] || [ $code = 1 ] || [ $code = 2 ] || fail "exit $code with $free KB free" "$work/all"
    # The engine met the full disk, or a stage did, whose log had no room for its words either.
    ok
    [ $code = 0 ] || grep -qE "No space left on device|error: stage .* exited with" "$work/all" ||
        fail "no reason with $free KB free" "$work/all"
    [ $code != 0 ] || break
done
rm -f "$work/disk/ballast"
if [ $code != 0 ]; then
    expect_exit 0 "$flywheel" resume
fi
expect_same "the champion after all" "$(tip)" "$champion"
expect_exit 0 git fsck --strict --no-dangling
done_testing
