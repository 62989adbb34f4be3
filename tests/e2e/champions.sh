#!/bin/sh
# A run that has found several champions is resumed from anywhere; what was neither proven nor disproven is
# taken up by the next run; a first try that fails binds nobody; a pool may change while a run waits.
. "${FW_SOURCE:?}/tests/lib.sh"

# Rule threshold with a gain of next to nothing: several improvements in a row on tiny data.
several() {
    yaml_base
    cat <<'YAML'
  relabel:
    kind: relabel
    plugin: oracle
    with: {truth: truth.csv, samples: 3, error_rate: 0}
  slow:
    kind: custom
    command: "sh -c 'sleep ${NAP:-0}; echo done >\"$0\"' {out.mark}"
    in: {patch: relabel.patch}
    out: {mark: mark}
YAML
    cat <<'YAML'
loop:
  patience: 9
  max_iterations: 5
  measure: whole
  gate: {rule: threshold, min_gain: 0.001}
YAML
}
make_project p
several >flywheel.yaml
export SOURCE_DATE_EPOCH=1700000000
expect_exit 0 "$flywheel" run --id one
moved=$(git rev-list --count flywheel/bugs)
ok
[ "$moved" -ge 3 ] || fail "only $moved snapshots: the test needs two champions" "$work/all"
whole=$(git rev-parse flywheel/bugs)
cd ..
make_project q
several >flywheel.yaml
# Killed as soon as two champions stand, in the middle of the iteration after them.
NAP=0.3 "$flywheel" run --id one >/dev/null 2>&1 &
pid=$!
two() { [ "$(git rev-list --count flywheel/bugs 2>/dev/null || echo 0)" -ge 3 ]; }
ok
wait_for 60 two || fail "no second champion"
kill -9 $pid
wait $pid 2>/dev/null
NAP=0.3 expect_exit 0 "$flywheel" resume
expect_same "the branch after a kill" "$(git rev-parse flywheel/bugs)" "$whole"
cd ..

# A gate that never sees enough: everything stays provisional, and the next run builds on it.
make_project r
{
    yaml_base
    cat <<'YAML'
  relabel:
    kind: relabel
    plugin: oracle
    with: {truth: truth.csv, samples: 4, error_rate: 0}
loop:
  patience: 1
  max_iterations: 1
  ablate: false
  gate: {rule: threshold, min_gain: 0.9}
YAML
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id one
kept=$(git rev-parse refs/flywheel/provisional/bugs)
ok
[ "$kept" != "$(git rev-parse flywheel/bugs)" ] || fail "nothing is provisional"
expect_exit 0 "$flywheel" run --id two
says "the unproven fixes of an earlier run are taken up again"
ok
git merge-base --is-ancestor "$kept" refs/flywheel/provisional/bugs || fail "the unproven fixes are lost"
expect_exit 0 "$flywheel" run --id three --set loop.gate.min_gain=0.0001 --set loop.max_iterations=9 --set loop.patience=9
ok
git merge-base --is-ancestor "$kept" flywheel/bugs || fail "the champion does not hold what was unproven"
cd ..

# The first try fails, the file is mended: no lock stands in the way.
make_project s
several | sed 's/input: features/input: image/; s/plugin: linear\(.*train\)/plugin: linear\1/' >flywheel.yaml
grep -q 'input: image' flywheel.yaml || sed -i '0,/plugin: linear/s//plugin: linear\n    with: {input: image}/' flywheel.yaml
run "$flywheel" run
ok
[ $code = 1 ] && [ ! -e flywheel.lock ] || fail "exit $code, and is there a lock?" "$work/all"
several >flywheel.yaml
expect_exit 0 "$flywheel" run
ok
[ -s flywheel.lock ] || fail "no lock after a good run"
cd ..

# The pool changes while the second iteration waits for people: the first stays as it was decided.
make_project t
mkdir pool
rows 60 9 0 p >pool/samples.jsonl
make_data # for its truth.csv
{
    yaml_base
    cat <<'YAML'
  relabel: {kind: relabel, plugin: inbox, with: {samples: 6}}
  collect: {kind: targeted-collection, plugin: pool, with: {path: pool/, budget: 5}}
loop:
  patience: 9
  max_iterations: 2
  gate: {rule: threshold, min_gain: 0.5}
YAML
} >flywheel.yaml
answer() {
    for todo in inbox/*.todo.csv; do
        awk -F, -v OFS=, '
            NR == FNR { truth[$1] = $2; next }
            FNR == 1 { for (i = 1; i <= NF; i++) { if ($i == "id") id = i; if ($i == "label") a = i } print; next }
            { $a = truth[$id]; print }' truth.csv "$todo" >"${todo%.todo.csv}.done.csv"
    done
}
expect_exit 4 "$flywheel" run --id one
answer
expect_exit 4 "$flywheel" resume
says "iteration 2"
head -20 pool/samples.jsonl >pool/less && mv pool/less pool/samples.jsonl
answer
expect_exit 0 "$flywheel" resume
says "iteration 1 (from the record)"
done_testing
