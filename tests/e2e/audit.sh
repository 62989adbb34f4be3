#!/bin/sh
# What must hold on slices is checked at every champion: told when it is only a warning, a guard rail when
# it is declared one.
. "${FW_SOURCE:?}/tests/lib.sh"
make_project p
cat >>flywheel.yaml <<'YAML'
audit:
  - {slice: "shift == 'night'", at_least: 0.2}
  - {slice: "shift == 'day'", metric: "recall:cat", at_least: 0.999}
  - {metric: recall, at_least: 0.1}
  - {slice: "shift == 'day'", metric: accuracy, compare_to: all, within: 0.5, on_broken: guard}
  - {slice: "shift == 'dusk'", at_least: 50%}
  - {metric: log_loss, at_most: 3}
YAML
expect_exit 0 "$flywheel" run --id told --set loop.max_iterations=0
says "audit: 'recall:cat where shift == 'day' at least 0.999' is broken: 0." \
    "audit: 'accuracy where shift == 'dusk' at least 0.5' cannot be judged"
expect_no_text "$work/all" "'accuracy where shift == 'night' at least 0.2'"
expect_exit 0 "$flywheel" show
says "audit of the champion" "recall:cat where shift == 'day' at least 0.999" "broken" \
    "accuracy where shift == 'day' within 0.5 of all" "met" "unknown" "log_loss at most 3" "macro_recall at least 0.1" \
    "The audit is broken: recall:cat"
expect_exit 0 "$flywheel" show --json
says '"on_broken": "guard"' '"requirement": "log_loss at most 3"' '"short_by": 0.'
# The recall that show tells is what a person counts from the predictions.
python3 - <<'PY' >counted
import glob, json
record = json.load(open(glob.glob("../out")[0]))
best = [i for i in record["iterations"] if i.get("champion")][-1]
print("%.6f" % best["audit"][1]["value"], best["audit"][1]["n"])
PY
expect_exit 0 "$flywheel" snapshot checkout flywheel/bugs best
python3 - <<'PY' >by_hand
import glob, json, os
rows = [json.loads(l) for l in open("best/samples.jsonl")]
want = {r["id"] for r in rows if r["split"] == "dev" and r["shift"] == "day" and r["label"] == "cat"}
best = None
for path in glob.glob(".flywheel/cache/*/**/predictions.jsonl", recursive=True):
    got = {p["id"]: p["prediction"] for p in map(json.loads, open(path))}
    if want <= set(got):
        value = "%.6f %d" % (sum(got[i] == "cat" for i in want) / len(want), len(want))
        print(value)
PY
ok
grep -qxF "$(cat counted)" by_hand || fail "$(cat counted) is in no predictions" by_hand
expect_exit 0 "$flywheel" report --output report.html
expect_text report.html '<section id="audit">'
expect_text report.html "guard rail"

# As a guard rail: bees may not suffer, though the total gains.
mkdir -p "$work/r" && cp -r data truth.csv "$work/r" && cd "$work/r" || exit 1
make_repo
make_plugin half relabel <<'PLUGIN'
# Puts the cats right and calls a third of the bees cat.
awk -F'"' 'NR == FNR { if (FNR > 1) { split($0, t, ","); truth[t[1]] = t[2] } next }
    { for (i = 1; i < NF; i++) { if ($i == "id") id = $(i + 2); if ($i == "label") label = $(i + 2) }
      to = label
      if (truth[id] == "cat") to = "cat"
      if (truth[id] == "bee" && n++ % 3 == 0) to = "cat"
      if (to != label) printf "{\"op\":\"relabel\",\"id\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"}\n", id, label, to }' \
    "$FLYWHEEL_PROJECT/truth.csv" "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_PATCH"
PLUGIN
{
    yaml_base
    echo '  half: {kind: relabel, plugin: half}'
    yaml_loop
    echo 'audit: [{metric: "recall:bee", at_least: 0.9, on_broken: guard}]'
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id guarded --set loop.ablate=false
says "worse: the audit is broken: 'recall:bee at least 0.9' is missed by" "rolled back"
expect_same "commits on the branch" "$(git rev-list --count flywheel/bugs)" 1
expect_exit 0 "$flywheel" report --output report.html
expect_text report.html "short by"
# The same requirement as a warning lets the candidate through.
mkdir -p "$work/w" && cp -r data truth.csv plugins "$work/w" && cd "$work/w" || exit 1
make_repo
sed 's/on_broken: guard/on_broken: warn/' "$work/r/flywheel.yaml" >flywheel.yaml
expect_exit 0 "$flywheel" run --id warned --set loop.ablate=false
says "improved" "audit: 'recall:bee at least 0.9' is broken"

# A requirement that no candidate can meet, and the baseline does not, holds nothing up: only falling
# further behind breaks it.
mkdir -p "$work/s" && cp -r data truth.csv "$work/s" && cd "$work/s" || exit 1
make_repo
{
    yaml_base
    yaml_oracle
    yaml_loop
    echo 'audit: [{at_least: 1, on_broken: guard}]'
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id kept
says "improved"
done_testing
