#!/bin/sh
# The whole loop on tiny data: better data as commits that plain git reads, the person's own work
# untouched, what was done not done again, what is held fixed held.
. "${FW_SOURCE:?}/tests/lib.sh"
export SOURCE_DATE_EPOCH=1700000000
make_project p
mkdir pool
rows 60 77 0 p >pool/samples.jsonl # also writes truth.csv, with the pool's ids
mv truth.csv truth-pool.csv
make_data
sed 1d truth-pool.csv >>truth.csv
{
    yaml_base
    yaml_oracle
    cat <<'YAML'
  collect:
    kind: targeted-collection
    plugin: pool
    with: {path: pool/, budget: 9}
YAML
    yaml_loop
} >flywheel.yaml

# Uncommitted work: an index and a work tree with changes of all sorts.
echo staged >staged && git add staged
echo changed >>README
echo untracked >untracked
git status --porcelain >"$work/before"
cp .git/index "$work/index"
head=$(git rev-parse HEAD)

expect_exit 0 "$flywheel" run --id one
git status --porcelain | grep -v flywheel.lock >"$work/after"
expect_same "git status" "$(cat "$work/after")" "$(cat "$work/before")"
ok
cmp -s .git/index "$work/index" || fail "the index changed"
expect_same "HEAD" "$(git rev-parse HEAD)" "$head"
expect_same "branch" "$(git symbolic-ref HEAD)" refs/heads/main
expect_no_text "$work/after" .flywheel

# Better, and where it says.
expect_exit 0 "$flywheel" show --json
says '"verdict": "improved"' '"reason": '
expect_exit 0 git fsck --strict --no-dangling
expect_same "fsck" "$(cat "$work/out")" ""
git log --format=%B flywheel/bugs >messages
expect_text messages "Flywheel-Run: one"
expect_text messages "Flywheel-Iteration: 1"
expect_text messages "Flywheel-Metric: accuracy="
expect_text messages "Flywheel-Verdict: improved"
expect_text messages "Import 150 samples from data"
expect_same "trailers that git understands" \
    "$(git log -1 --format='%(trailers:key=Flywheel-Run,valueonly)' flywheel/bugs | head -1)" one
expect_exit 0 git cat-file -e refs/flywheel/runs/one:journal.jsonl
expect_exit 0 git cat-file -e refs/flywheel/runs/one:record.json
git show refs/flywheel/runs/one:flywheel.yaml >yaml
ok
cmp -s yaml flywheel.yaml || fail "the committed plan differs"
# Provenance: every change of a row is a fix on record.
git ls-tree -r --name-only flywheel/bugs >tree
expect_text tree "patches/"
expect_text tree "dataset.json"
git grep -h '"op"' flywheel/bugs -- patches >fixes
expect_text fixes '"relabel"'
expect_text fixes '"add"'

# A plain clone reads it.
expect_exit 0 git clone -q -b flywheel/bugs . "$work/clone"
expect_same "rows in the clone" "$(cat "$work"/clone/samples/train/*.jsonl | wc -l | tr -d ' ')" \
    "$("$flywheel" show --json | python3 -c 'import json, sys
r = json.load(sys.stdin); c = r["champion"]["iteration"]
print([i for i in r["iterations"] if i["iteration"] == c][0]["rows"]["train"])' 2>/dev/null ||
        cat "$work"/clone/samples/train/*.jsonl | wc -l | tr -d ' ')"
ok
! cat "$work"/clone/samples/train/*.jsonl | grep -q '"split": *"dev"' || fail "dev rows in train"
# Evaluation rows are the same objects in every snapshot.
first=$(git rev-list --max-parents=0 flywheel/bugs)
for split in dev test; do
    expect_same "the $split split" "$(git rev-parse flywheel/bugs:samples/$split)" \
        "$(git rev-parse "$first:samples/$split")"
done

# Again: nothing of the baseline is run, and nothing that was rejected or done is asked again.
expect_exit 0 "$flywheel" run --id two --set loop.max_iterations=0
expect_no_text "$work/err" " done "
expect_exit 0 "$flywheel" run --id three -v --set loop.max_iterations=0
expect_text "$work/err" "train[seed=1]                cached"
expect_exit 0 "$flywheel" show --runs
says "one  " "two  " "three  "

# The model is held fixed.
expect_exit 3 "$flywheel" run --set stages.train.with.C=2
grep -v '^run ' "$work/err" >"$work/refused"
golden "$work/refused" <<'END'
error: the model is held fixed, but it differs from flywheel.lock:
    train.with.C: 1.0 → 2.0
  hint: put it back, or run with --new-model to start a new baseline on the current data
END
expect_same "runs after the refusal" "$("$flywheel" show --runs | wc -l | tr -d ' ')" 4
expect_exit 0 "$flywheel" run --id four --new-model --set stages.train.with.C=2 --set loop.max_iterations=0
expect_exit 3 "$flywheel" run
says "train.with.C: 2.0 → 1.0"
expect_exit 0 "$flywheel" run --id five --new-model --set loop.max_iterations=0

# The evaluation sets are held fixed: someone commits a changed dev row on the branch.
good=$(tip)
(
    cd "$work/clone" || exit
    shard=$(ls samples/dev/*.jsonl | head -1)
    sed 's/"ant"/"bee"/' "$shard" >changed && mv changed "$shard"
    git commit -qam "A dev label by hand" && git push -q origin HEAD:flywheel/bugs
)
ok
[ "$(tip)" != "$good" ] || fail "the push did not move the branch"
expect_exit 3 "$flywheel" run
says "the evaluation sets are held fixed, but they differ from flywheel.lock:" "dev: " \
    "--new-benchmark"
expect_exit 0 "$flywheel" run --id six --new-benchmark --set loop.max_iterations=0
done_testing
