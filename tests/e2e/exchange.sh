#!/bin/sh
# Clean or collect, measured in a run: extra nodes, their cost, the cache, the model lock, resume,
# what is shown, and how to switch it off.
. "${FW_SOURCE:?}/tests/lib.sh"
make_project p
make_data 300 5 40 # two in five labels of one class are wrong
{ yaml_base && yaml_oracle && yaml_loop; } >flywheel.yaml

expect_exit 0 "$flywheel" run --id one --set loop.max_iterations=2
expect_exit 0 "$flywheel" show --json
cp "$work/out" record
extra=$(grep -c '"node": "train\[seed=1,\(subset=1/[24]\|trusted\)\]"' record)
ok
[ "$extra" -ge 3 ] || fail "$extra extra trainings on record" record
says '"advice": ' '"share_to_clean": ' '"kind": "trusted"'
expect_exit 0 "$flywheel" show -n 1
says "clean or collect: "
expect_exit 0 "$flywheel" report --output report.html
expect_text report.html 'id="exchange"'
expect_text report.html 'id="learning"'

# Sizes: nested subsets ascend, trusted leaves samples out but not all.
python=$(command -v python3) && "$python" - <<'PY' || fail "the points are not what they should be" record
import json
record = json.load(open("record"))
x = next(i["analysis"]["exchange"] for i in record["iterations"] if i.get("analysis"))
n = [p["n"] for p in x["points"]]
assert [p["kind"] for p in x["points"]] == ["subset", "subset", "full", "trusted"], x["points"]
assert n[0] < n[1] < n[2] == 180 and 120 < n[3] < 180, n
assert x["suspects"] == n[2] - n[3] and 0 <= x["share_to_clean"] <= 1
PY
ok

# A second run on the champion: all its points come from the cache, and so does its analysis.
expect_exit 0 "$flywheel" run --id two --set loop.max_iterations=0
expect_exit 0 "$flywheel" show --json two
ok
! grep -A6 '"node": "train\[seed=1,\(subset\|trusted\)' "$work/out" | grep -q '"state": "done"' ||
    fail "a point of the curve was trained again" "$work/out"

# Switching it off or setting costs is not another model; costs change what is concluded.
expect_exit 0 "$flywheel" run --id off --set loop.curve=false --set loop.max_iterations=1
expect_exit 0 "$flywheel" show --json off
ok
! grep -q 'subset=1/4' "$work/out" || fail "measured though switched off" "$work/out"
expect_exit 0 "$flywheel" run --id dear --set loop.costs.label=1000 --set loop.max_iterations=1
expect_exit 0 "$flywheel" show --json dear
says '"label": 1000'
expect_exit 2 "$flywheel" validate --set loop.costs.label=0
says "label"
expect_exit 2 "$flywheel" validate --set loop.curve=often

# Killed while a point is being trained: resume goes on to the same result.
cd ..
make_project q
make_data 300 5 40
{ yaml_base && yaml_oracle && yaml_loop; } >flywheel.yaml
"$flywheel" run --id cut --set loop.max_iterations=1 >"$work/log" 2>&1 &
pid=$!
for _ in $(seq 200); do
    [ -d ".flywheel/runs/cut/1/train[seed=1,subset=1-4]" ] && break
    sleep 0.02
done
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
expect_exit 0 "$flywheel" resume
expect_exit 0 "$flywheel" show --json
says '"advice": '
done_testing
