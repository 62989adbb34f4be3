#!/bin/sh
# Data that hurt are found out: a harmful patch is rolled back, a guard rail holds whatever the total
# does, and what an ablation shows to be good is kept.
. "${FW_SOURCE:?}/tests/lib.sh"
make_project p

# Turns all bees of train but one into ants.
make_plugin spoiler relabel <<'PLUGIN'
sed -n 's/.*"id": *"\([^"]*\)".*"label": *"bee".*/{"op":"relabel","id":"\1","from":"bee","to":"ant","reason":"spoilt"}/p' \
    "$FLYWHEEL_IN_DATASET/samples.jsonl" | sed 1d >"$FLYWHEEL_OUT_PATCH"
PLUGIN
{
    yaml_base
    echo '  spoil: {kind: relabel, plugin: spoiler}'
    yaml_loop
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id harm --set loop.ablate=false
says "worse: " "rolled back"
expect_same "commits on the branch" "$(git rev-list --count flywheel/bugs)" 1
expect_exit 0 "$flywheel" show --json
says '"verdict": "worse"' '"state": "rolled back"'
# The candidate is still there to be looked at, and its fixes are not proposed again.
expect_exit 0 git rev-parse -q --verify refs/flywheel/candidates/harm/1
expect_exit 0 "$flywheel" run --id again --set loop.ablate=false
says "no stage has a fix left to propose"
expect_exit 0 "$flywheel" show
says "closing its gap to 100 % of " " points of accuracy."
expect_exit 0 "$flywheel" show again --iteration 1
says "iteration 1 found nothing to change" "set aside: spoil: rejected in iteration 1"
expect_exit 0 "$flywheel" run --id human --set loop.max_iterations=0 --set metric.human_level=0.999
expect_exit 0 "$flywheel" show human
says "closing its gap to human level of " " points of accuracy."

# Beside a good stage: apart, the good part is kept and the bad one dropped.
mkdir -p "$work/q" && cp -r data truth.csv plugins "$work/q" && cd "$work/q" || exit 1
make_repo
{
    yaml_base
    yaml_oracle
    echo '  spoil: {kind: relabel, plugin: spoiler}'
    yaml_loop
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id both --set loop.max_iterations=1
says "apart: relabel" "kept" "apart: spoil" "dropped" "improved"
expect_exit 0 "$flywheel" diff "~1"
says "0 added, 0 removed, 9 relabelled"
expect_exit 0 "$flywheel" show --iteration 1
says "apart: spoil" "as a whole: worse" "what was kept after trying the parts apart: improved"
# One verdict for the iteration: the second look's.
expect_exit 0 "$flywheel" show
grep -E '^ *1 ' "$work/out" >row
expect_text row improved
expect_text row "9 of 38 kept"
expect_no_text row worse
expect_exit 0 "$flywheel" report --output report.html
expect_text report.html "<dt>Fixes kept</dt><dd><b>9</b>"
expect_same "commits on the branch" "$(git rev-list --count flywheel/bugs)" 2

# Fixes that name their kind are parts of their own: copies of cats with a little noise help, bees
# called ant do not.
mkdir -p "$work/k" && cp -r data truth.csv plugins "$work/k" && cd "$work/k" || exit 1
make_repo
make_plugin copies augment <<'PLUGIN'
awk -F'"' 'NR == FNR { if (FNR > 1) { split($0, t, ","); truth[t[1]] = t[2] } next }
    function copy(kind, i, x, y, label) {
        printf "{\"op\":\"add\",\"part\":\"%s\",\"parent\":\"%s\",\"sample\":{\"id\":\"%s-%s%d\",\"label\":\"%s\",\"features\":[%.4f,%.4f]}}\n", \
            kind, id, id, kind, i, label, x, y
    }
    { for (i = 1; i < NF; i++) if ($i == "id") id = $(i + 2)
      split(substr($0, index($0, "[") + 1), at, "[],]")
      for (i = 1; i < 4; i++) {
          if (truth[id] == "cat") copy("jitter", i, at[1] + i / 100, at[2] - i / 100, "cat")
          if (truth[id] == "bee") copy("swap", i, at[1] + i / 100, at[2], "ant")
      } }' "$FLYWHEEL_PROJECT/truth.csv" "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_PATCH"
PLUGIN
{
    yaml_base
    echo '  augment: {kind: augment, plugin: copies}'
    yaml_loop
} >flywheel.yaml
expect_exit 0 "$flywheel" run --id kinds --set loop.max_iterations=1
says "augment:jitter: 90 added" "augment:swap: 90 added" "apart: augment:jitter" "kept" \
    "apart: augment:swap" "dropped" "improved"
expect_exit 0 "$flywheel" show --iteration 1
says "augment:jitter" "augment:swap"
expect_exit 0 "$flywheel" show --json
says '"stage": "augment:jitter"' '"part": "augment:swap"'
expect_exit 0 "$flywheel" show
grep -E '^ *1 ' "$work/out" >row
expect_text row "90 of 180 kept"
git log -1 --format=%B flywheel/bugs >message
expect_text message "augment:jitter: add 90"
expect_no_text message swap
git grep -h -c '"part":"jitter"' flywheel/bugs -- patches >count
expect_text count 90
expect_exit 0 "$flywheel" report --output report.html
expect_text report.html "augment:jitter"
# What was dropped is not proposed again; what was kept is there already.
expect_exit 0 "$flywheel" run --id later --set loop.max_iterations=1
says "no stage has a fix left to propose"

# Beyond sixteen kinds the smallest go together; measured whole, no part costs a training of its own.
make_plugin many augment <<'PLUGIN'
i=0
while [ $i -lt 20 ]; do
    [ $i -lt 15 ] && echo "{\"op\":\"add\",\"part\":\"kind$i\",\"sample\":{\"label\":\"ant\",\"features\":[2.$i,1.5]}}"
    echo "{\"op\":\"add\",\"part\":\"kind$i\",\"sample\":{\"label\":\"ant\",\"features\":[2.$i,0.5]}}"
    i=$((i + 1))
done >"$FLYWHEEL_OUT_PATCH"
PLUGIN
sed -i 's/plugin: copies/plugin: many/' flywheel.yaml
expect_exit 0 "$flywheel" run --id many -v --set loop.max_iterations=1 --set loop.measure=whole \
    --set loop.ablate=false
says "augment:kind0: 2 added" "augment:kind14: 2 added" "augment:others: 5 added"
expect_no_text "$work/all" "augment:kind15"
expect_no_text "$work/all" "alone"

# A guard rail: bees may not suffer, though the total gains.
mkdir -p "$work/r" && cp -r data truth.csv plugins "$work/r" && cd "$work/r" || exit 1
make_repo
{
    yaml_base
    yaml_oracle
    yaml_loop
} >flywheel.yaml
make_plugin half relabel <<'PLUGIN'
# Puts the cats right and calls a third of the bees ant.
awk -F'"' 'NR == FNR { if (FNR > 1) { split($0, t, ","); truth[t[1]] = t[2] } next }
    { for (i = 1; i < NF; i++) { if ($i == "id") id = $(i + 2); if ($i == "label") label = $(i + 2) }
      to = label
      if (truth[id] == "cat") to = "cat"
      if (truth[id] == "bee" && n++ % 2) to = "cat"
      if (to != label) printf "{\"op\":\"relabel\",\"id\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"}\n", id, label, to }' \
    "$FLYWHEEL_PROJECT/truth.csv" "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_PATCH"
PLUGIN
{
    yaml_base
    echo '  half: {kind: relabel, plugin: half}'
    yaml_loop
} | sed 's/min_gain: 0.01/min_gain: 0.01, guard: {bee: 0.0}/' >flywheel.yaml
expect_exit 0 "$flywheel" run --id guarded --set loop.ablate=false
says "worse: " "bee" "rolled back"
expect_exit 0 "$flywheel" show --json
says '"broken": true'
expect_same "commits on the branch" "$(git rev-list --count flywheel/bugs)" 1
done_testing
