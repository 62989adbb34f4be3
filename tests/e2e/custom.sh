#!/bin/sh
# Custom stages: command, in, out, needs, matrix; named resources; retries; timeouts; what fails takes
# what depends on it along and nothing else.
. "${FW_SOURCE:?}/tests/lib.sh"
make_project p
{
    yaml_base
    cat <<'YAML'
  count:
    command: 'wc -l <"$FLYWHEEL_IN_ROWS/samples.jsonl" >"$FLYWHEEL_OUT_COUNT"; echo counted'
    in: {rows: dataset.train}
    out: {count: count.txt}
  power:
    command: [sh, -c, 'cat "$FLYWHEEL_IN_COUNT" >"$FLYWHEEL_OUT_RESULT"; echo "$FLYWHEEL_MATRIX_BASE $FLYWHEEL_MATRIX_SIGN" >>"$FLYWHEEL_OUT_RESULT"']
    in: {count: count.count}
    out: {result: result.txt}
    matrix: {base: [2, 3], sign: [plus, minus]}
  gather:
    command: 'cat "$FLYWHEEL_IN_RESULTS"/*/* "$FLYWHEEL_IN_RESULTS"/* 2>/dev/null >"$FLYWHEEL_OUT_ALL"; true'
    in: {results: power.result}
    out: {all: all.txt}
    needs: analyse
YAML
    yaml_loop
} >flywheel.yaml
expect_exit 0 "$flywheel" validate
expect_exit 0 "$flywheel" run --id one -v
for node in count 'power[base=2,sign=plus]' 'power[base=3,sign=minus]' gather; do
    expect_text "$work/err" "  $node "
done
expect_exit 0 "$flywheel" log count
expect_same "log of count" "$(cat "$work/out")" counted
all=$(find .flywheel/cache -name all.txt | head -1)
[ -n "$all" ] || all=$(find .flywheel -name 'all*' -type f | head -1)
ok
if [ -n "$all" ]; then
    for text in 90 "2 plus" "2 minus" "3 plus" "3 minus"; do
        expect_text "$all" "$text"
    done
else
    fail "no output of gather is kept"
fi
# Nothing changed: nothing runs again, custom stages neither.
expect_exit 0 "$flywheel" run --id two -v
says "  count                        cached"
expect_exit 0 "$flywheel" run --id three -v --set "stages.count.command=echo 7 >\"\$FLYWHEEL_OUT_COUNT\""
says "  count                        done" "  power[base=2,sign=plus]      done"

# gpu: 1 each and one at hand: never two at once, though there are cpus for it.
mkdir -p "$work/gpu" && cd "$work/gpu" || exit 1
make_repo && make_data
{
    yaml_base
    cat <<'YAML'
  slow:
    command: 'echo in >>"$FLYWHEEL_PROJECT/trace"; sleep 0.2; echo out >>"$FLYWHEEL_PROJECT/trace"; echo 1 >"$FLYWHEEL_OUT_X"'
    out: {x: x.txt}
    matrix: {n: [1, 2, 3, 4]}
    resources: {gpu: 1}
YAML
    yaml_loop
    echo 'resources: {cpus: 8, gpu: 1}'
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id one
expect_same "order of slow" "$(tr '\n' ' ' <trace)" "in out in out in out in out "
: >trace
expect_exit 0 "$flywheel" run --id two --set resources.gpu=4 --set 'stages.slow.env={FRESH: "1"}'
ok
tr '\n' ' ' <trace | grep -q "in in" || fail "four gpus, and still one at a time" trace
expect_exit 2 "$flywheel" validate --set stages.slow.resources.gpu=2
says "gpu"

# Retries: twice in vain, then well. Without them: failed, and said where.
mkdir -p "$work/retry" && cd "$work/retry" || exit 1
make_repo && make_data
{
    yaml_base
    cat <<'YAML'
  flaky:
    command: 'echo try >>"$FLYWHEEL_PROJECT/tries"; [ $(wc -l <"$FLYWHEEL_PROJECT/tries") -ge 3 ] || { echo "no luck today"; exit 9; }; echo 1 >"$FLYWHEEL_OUT_X"'
    out: {x: x.txt}
    retries: 2
    backoff: 0.1s
  after: {command: 'echo 2 >"$FLYWHEEL_OUT_Y"', in: {x: flaky.x}, out: {y: y.txt}}
  beside: {command: 'echo 3 >"$FLYWHEEL_OUT_Z"', out: {z: z.txt}}
YAML
    yaml_loop
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id well
expect_same "tries" "$(wc -l <tries | tr -d ' ')" 3
rm tries
expect_exit 1 "$flywheel" run -v --id ill --set stages.flaky.retries=1 --set 'stages.flaky.env={FRESH: "1"}' \
    --set 'stages.beside.env={FRESH: "1"}'
says "stage flaky" "exited with 9" "no luck today" "/1/flaky/log" "  hint: " "\`flywheel resume\`"
expect_text "$work/err" "  beside                       done"
expect_text "$work/err" "  after                        dependency failed"
expect_same "tries" "$(wc -l <tries | tr -d ' ')" 2
expect_exit 0 "$flywheel" status
says "status     failed" "next       flywheel resume"
expect_exit 0 "$flywheel" resume

# A stage that hangs is ended with what it started.
mkdir -p "$work/hang" && cd "$work/hang" || exit 1
make_repo && make_data
{
    yaml_base
    cat <<'YAML'
  hang:
    command: 'echo here I sit; sleep 543 & sleep 543; echo 1 >"$FLYWHEEL_OUT_X"'
    out: {x: x.txt}
    timeout: 1s
YAML
    yaml_loop
} >flywheel.yaml
expect_exit 1 timeout 60 "$flywheel" run
says "stage hang" "ran longer than its timeout of 1 s" "here I sit"
ok
! pgrep -f '^sleep 543$' >"$work/left" || fail "sleepers are left" "$work/left"
done_testing
