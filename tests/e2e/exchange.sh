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
# A metric that ranks is not measured on resamples of the curve: told in another one.
expect_exit 0 "$flywheel" run --id rank --new-model --set metric.name=macro_roc_auc --set loop.max_iterations=0
expect_exit 0 "$flywheel" show rank --json
says '"metric": "balanced_accuracy"'
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

# The budget of an iteration divided by it: quotas add up to it, and the stages keep to them.
cd ..
make_project r
mkdir pool
rows 60 77 0 p >pool/samples.jsonl
mv truth.csv truth-pool.csv
make_data 300 5 40
sed 1d truth-pool.csv >>truth.csv
{
    yaml_base
    yaml_oracle
    cat <<'YAML'
  collect: {kind: targeted-collection, plugin: pool, with: {path: pool/, budget: 9}}
YAML
    yaml_loop
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id s --set loop.split=30 --set loop.max_iterations=1
cp .flywheel/runs/s/1/relabel/request.json relabel.json
cp .flywheel/runs/s/1/collect/request.json collect.json
expect_exit 0 "$flywheel" show --json
cp "$work/out" record
"$python" - <<'PY' || fail "the quotas are not what the share says" record
import json
quota = [json.load(open(f"{s}.json"))["quota"] for s in ("relabel", "collect")]
iteration = next(i for i in json.load(open("record"))["iterations"] if i.get("analysis"))
share = iteration["analysis"]["exchange"]["share_to_clean"]
assert abs(quota[0] - 30 * share) <= 0.5 and abs(quota[1] - 30 * (1 - share)) <= 0.5, (quota, share)
fixes = {f["stage"]: f for f in iteration["fixes"]}
looked = sum(fixes["relabel"][k] for k in ("relabel", "confirm", "remove")) if "relabel" in fixes else 0
assert looked <= quota[0] and fixes.get("collect", {"add": 0})["add"] <= quota[1], (fixes, quota)
PY
ok
expect_exit 2 "$flywheel" validate --set loop.split=30 --set loop.curve=false
says "split: the exchange rate is not measured" "curve: true"
grep -v 'collect:' flywheel.yaml >one && mv one flywheel.yaml
expect_exit 2 "$flywheel" validate --set loop.split=30
says "split: there is no targeted-collection stage to divide with"
done_testing
