#!/bin/sh
# Killed at any moment, a run resumes to the snapshots and decisions of one that was left alone: at
# every journal append (before it, and with the record torn), at every rename, link and sync, at
# a spread of all writes, and at random moments. FW_FAULT_ALL=1 takes every call.
# A kill loses nothing that was written, so memory does as well as a disk, and is quicker.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "${FW_SOURCE:?}/tests/lib.sh"
[ $has_sanitizer = no ] || skip "LD_PRELOAD does not go with sanitizers"
preload=$FW_BUILD/tests/fault_preload.so
[ -e "$preload" ] || skip "no $preload"
exec 2>"$work/killed" # the shell says "Killed" each time
export SOURCE_DATE_EPOCH=1700000000

# Small, but with all that a run does: three turns, two of them better, the last provisional.
mkdir -p first && cd first || exit 1
make_repo
make_data
{
    yaml_base
    yaml_oracle
    yaml_loop
} | sed 's/max_iterations: 2/max_iterations: 4/; s/samples: 25/samples: 12/' >flywheel.yaml
cd "$work" || exit 1
cp -r first cold

# What must not differ: refs but for the run's own record (it holds times), and the decisions.
result() {
    git -C "$1" for-each-ref --format='%(refname) %(objectname)' refs/heads refs/flywheel |
        grep -v refs/flywheel/runs/
    (cd "$1" && "$flywheel" show)
    (cd "$1" && "$flywheel" show --iteration 1 | sed '/^stages/,$d')
    cat "$1/flywheel.lock"
}

expect_exit 0 "$flywheel" run -f first/flywheel.yaml --id one
result first >want
expect_same "better turns" "$(grep -c ' improved ' want)" 2
expect_text want "provisional"
expect_text want "refs/flywheel/provisional/bugs"

# With every stage's result at hand a run takes a moment, so that hundreds of kills are cheap.
cp -r cold warm
mkdir warm/.flywheel && cp -r first/.flywheel/cache warm/.flywheel/

# go_on FOLDER: as a person would; when nothing was recorded yet, by a new run
go_on() {
    if (cd "$1" && "$flywheel" resume) >"$work/all" 2>&1; then
        return 0
    fi
    ! grep -qF 'run one has stopped' "$work/all" || return 0
    (cd "$1" && "$flywheel" run --id one) >>"$work/all" 2>&1
}

check() { # check FOLDER WHAT
    ok
    go_on "$1" || {
        fail "$2: cannot go on" "$work/all"
        return
    }
    result "$1" >got
    ok
    diff -u want got >diff || fail "$2: the result differs" diff
    ok
    git -C "$1" fsck --strict --no-dangling >fsck 2>&1 || fail "$2: git fsck" fsck
}

# killed NAME CALLS PATH DO STEP: kills at call 1, 1 + STEP, ... until the run passes
killed() {
    at=1
    step=${FW_FAULT_ALL:-$5}
    while :; do
        rm -rf try
        cp -r warm try
        (
            cd try && exec env FAULT_CALLS=$2 FAULT_PATH=$3 FAULT_DO=$4 FAULT_AT=$at LD_PRELOAD=$preload \
                "$flywheel" run --id one
        ) >/dev/null 2>&1
        code=$?
        [ $code = 137 ] || break
        check try "killed at $1 $at"
        at=$((at + step))
    done
    expect_same "the run that no kill reached" $code 0
    ok
    [ $at -gt 1 ] || fail "nothing was killed at $1"
    echo "$1: killed at 1 to $((at - step)) by $step"
}

killed "journal append" write journal.jsonl kill 1
killed "torn journal append" write journal.jsonl torn 5
killed "rename, link or mkdir" rename,mkdir / kill 29
killed "sync" sync / kill 19
killed "write" write / torn 29

# At random moments, with the stages running: killed again and again, each time a little later, until
# it gets through.
seed=7
for round in 1 2 3 4 5; do
    rm -rf try
    cp -r cold try
    kills=0
    while [ $kills -lt 40 ]; do
        seed=$(((seed * 16807) % 2147483647))
        if [ -e try/.flywheel/runs/one/journal.jsonl ]; then
            (cd try && exec "$flywheel" resume) >"$work/all" 2>&1 &
        else
            (cd try && exec "$flywheel" run --id one) >"$work/all" 2>&1 &
        fi
        pid=$!
        sleep "$(printf 0.%03d $((15 + seed % 120 + 4 * kills)))"
        kill -9 $pid 2>/dev/null || break
        wait $pid 2>/dev/null
        kills=$((kills + 1))
    done
    wait $pid 2>/dev/null
    check try "killed $kills times at random, round $round"
    echo "random moments: killed $kills times, then done"
done
done_testing
