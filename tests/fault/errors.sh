#!/bin/sh
# A full disk, a read error, a failed fork, no descriptor left: at whatever call it happens the run
# ends with an error that says so (or does without what failed), nothing half-written shows, and it
# goes on to the same result when the cause is gone. FW_FAULT_ALL=1 tries every call.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "${FW_SOURCE:?}/tests/lib.sh"
[ $has_sanitizer = no ] || skip "LD_PRELOAD does not go with sanitizers"
preload=$FW_BUILD/tests/fault_preload.so
[ -e "$preload" ] || skip "no $preload"
exec 2>"$work/stderr"
export SOURCE_DATE_EPOCH=1700000000

mkdir -p first && cd first || exit 1
make_repo
make_data 150 6
{
    yaml_base
    yaml_oracle
    yaml_loop
} >flywheel.yaml
cd "$work" || exit 1
cp -r first cold

result() {
    git -C "$1" for-each-ref --format='%(refname) %(objectname)' refs/heads refs/flywheel |
        grep -v refs/flywheel/runs/
    (cd "$1" && "$flywheel" show)
    cat "$1/flywheel.lock"
}

expect_exit 0 "$flywheel" run -f first/flywheel.yaml --id one
result first >want
cp -r cold warm
mkdir warm/.flywheel && cp -r first/.flywheel/cache warm/.flywheel/

go_on() {
    if (cd "$1" && "$flywheel" resume) >"$work/all" 2>&1; then
        return 0
    fi
    ! grep -qF 'run one has stopped' "$work/all" || return 0
    (cd "$1" && "$flywheel" run --id one) >>"$work/all" 2>&1
}

# failing WHAT FROM CALLS ERROR STAYS STEP TEXT: fails call 1, 1 + STEP, ... until none is reached.
# TEXT: what the error says
failing() {
    at=1
    told=0
    step=${FW_FAULT_ALL:-$6}
    while :; do
        rm -rf try fired
        cp -r "$2" try
        (
            cd try && unset FAULT_STAYS
            [ "$5" = no ] || export FAULT_STAYS=1
            exec env FAULT_CALLS="$3" FAULT_PATH=/ FAULT_DO="$4" FAULT_AT=$at \
                FAULT_FIRED="$work/fired" LD_PRELOAD="$preload" "$flywheel" run --id one
        ) >said 2>&1
        code=$?
        [ -e fired ] || break
        ok
        # What can be done without (a row of the cache, a view) may fail silently.
        if [ $code -ge 126 ]; then
            fail "$1 at call $at: exit $code" said
        elif [ $code != 0 ]; then
            told=$((told + 1))
            expect_text said "$7"
            ok
            grep -qE '^error: |^[^ ].*: error: ' said || fail "$1 at call $at: no error is told" said
        fi
        for ref in $(git -C try for-each-ref --format='%(refname)' refs/heads/flywheel); do
            ok
            git -C try rev-list --objects "$ref" >objects 2>&1 || fail "$1 at call $at: $ref is torn" objects
        done
        ok
        if go_on try; then
            result try >got
            diff -u want got >diff || fail "$1 at call $at: the result differs" diff
            git -C try fsck --strict --no-dangling >fsck 2>&1 || fail "$1 at call $at: git fsck" fsck
        else
            fail "$1 at call $at: cannot go on" "$work/all"
            sed 's/^/    was: /' said | tail -3
        fi
        at=$((at + step))
    done
    expect_same "$1: the run that was not hit" $code 0
    ok
    [ $told -gt 0 ] || fail "$1: never told"
    echo "$1: at call 1 to $((at - step)) by $step, $told runs ended with an error"
}

failing "full disk" warm write,open,mkdir,sync,rename ENOSPC yes 27 "No space left on device"
failing "one write that fails" warm write,open,mkdir,sync,rename EIO no 27 "Input/output error"
failing "one read that fails" warm read EIO no 23 "Input/output error"
failing "a full disk, cold" cold write ENOSPC yes 61 "No space left on device"
failing "no process" cold spawn EAGAIN yes 9 "Resource temporarily unavailable"
failing "no descriptor" warm open EMFILE no 17 "Too many open files"
done_testing
