#!/bin/sh
# Git repositories as they come: absent, bare, with the branch moved or checked out by someone else.
. "${FW_SOURCE:?}/tests/lib.sh"

# None.
mkdir none && cd none || exit 1
make_data
{
    yaml_base
    yaml_loop
} >flywheel.yaml
expect_exit 2 env GIT_CEILING_DIRECTORIES="$work" "$flywheel" run
says "error: " "hint: " "git init"
ok
[ ! -e .git ] && [ ! -e flywheel.lock ] || fail "a repository was made unasked"

# A bare one beside, named in the plan.
mkdir "$work/beside" && cd "$work/beside" || exit 1
git init -q --bare "$work/store.git"
make_data
{
    yaml_base
    yaml_oracle
    yaml_loop
} | sed "s,^  slices,  repo: ../store.git\n  slices," >flywheel.yaml
expect_exit 0 "$flywheel" run
says "improved"
expect_exit 0 git -C "$work/store.git" fsck --strict
expect_same "branch in the bare repository" \
    "$(git -C "$work/store.git" rev-list --count flywheel/bugs)" 3
expect_exit 0 git clone -q -b flywheel/bugs "$work/store.git" "$work/clone"
expect_exit 0 "$flywheel" diff
says "1 relabelled"

# A project inside a bare repository's folder.
mkdir "$work/store.git/inside" && cd "$work/store.git/inside" || exit 1
make_data
{
    yaml_base
    yaml_loop
} >flywheel.yaml
expect_exit 2 "$flywheel" run
says "bare" "hint: "

# The branch is moved while a stage runs: refused, both commits named, nothing lost.
mkdir -p "$work/moved" && cd "$work/moved" || exit 1
make_repo
make_data
make_plugin mover relabel <<'PLUGIN'
# Proposes what is right, and lets someone else move the branch meanwhile.
cd "$FLYWHEEL_PROJECT" || exit 1
old=$(git rev-parse flywheel/bugs)
if [ ! -e moved ]; then
    other=$(git -c user.name=Bob -c user.email=bob@example.org commit-tree -p "$old" -m "Bob was here" "$old^{tree}")
    git update-ref refs/heads/flywheel/bugs "$other"
    echo "$old $other" >moved
fi
awk -F'"' 'NR == FNR { if (FNR > 1) { split($0, t, ","); truth[t[1]] = t[2] } next }
    { for (i = 1; i < NF; i++) { if ($i == "id") id = $(i + 2); if ($i == "label") label = $(i + 2) }
      if (truth[id] != label) printf "{\"op\":\"relabel\",\"id\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"}\n", id, label, truth[id] }' \
    truth.csv "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_PATCH"
PLUGIN
{
    yaml_base
    echo '  relabel: {kind: relabel, plugin: mover}'
    yaml_loop
} >flywheel.yaml
expect_exit 3 "$flywheel" run --id one
read -r old other <moved
says "refs/heads/flywheel/bugs was moved by someone else: it should be at $old and is at $other" \
    "hint: "
expect_same "the branch" "$(tip)" "$other"
expect_exit 0 "$flywheel" status
says "failed" "champion   iteration 0" "$(echo "$old" | cut -c1-12)"
# Put back as the hint says, it goes on.
git update-ref refs/heads/flywheel/bugs "$old"
expect_exit 0 "$flywheel" resume
says "improved"
expect_same "parent of the champion" "$(git rev-parse flywheel/bugs~1)" "$old"

# Checked out: it is the person's work tree, so it is left alone.
mkdir -p "$work/out-there" && cd "$work/out-there" || exit 1
make_repo
make_data
{
    yaml_base
    yaml_oracle
    yaml_loop
} >flywheel.yaml
expect_exit 0 "$flywheel" snapshot import
git checkout -q flywheel/bugs
before=$(tip)
expect_exit 3 "$flywheel" run
says "branch flywheel/bugs is checked out, so it cannot be moved" "git switch"
expect_same "the branch" "$(tip)" "$before"
git checkout -q main
expect_exit 0 "$flywheel" resume
done_testing
