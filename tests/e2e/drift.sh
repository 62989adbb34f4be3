#!/bin/sh
# A drift stage compares live samples with train, and the pool collects what grew there.
. "${FW_SOURCE:?}/tests/lib.sh"
make_project p
# In production the night shift grew from a quarter of the samples to nine in ten. The pool holds
# both shifts alike.
mkdir live pool
rows 600 21 0 live | awk '{ if (NR % 10) sub(/"shift":"[a-z]*"/, "\"shift\":\"night\""); else sub(/"shift":"[a-z]*"/, "\"shift\":\"day\"") } { sub(/"label":"[a-z]*",/, ""); print }' >live/samples.jsonl
rows 200 31 0 pool | sed 's/"split":"[a-z]*",//' |
    awk '{ sub(/"shift":"[a-z]*"/, NR % 2 ? "\"shift\":\"night\"" : "\"shift\":\"day\""); print }' >pool/samples.jsonl
rows 150 5 0 s >data/samples.jsonl
git add -A && git commit -qm data
{
    yaml_base
    cat <<'YAML'
  watch:
    kind: drift
    plugin: drift
    in: {production: live/}
  collect:
    kind: targeted-collection
    plugin: pool
    with: {path: pool/, budget: 40, quota_share: 0.5}
    in: {drift: watch.drift}
YAML
    yaml_loop
} >flywheel.yaml
expect_exit 0 "$flywheel" validate
expect_exit 0 "$flywheel" run --id one -v
expect_text "$work/err" "drift: major"
drift=$(find .flywheel/cache -name drift.json | head -1)
ok
[ -n "$drift" ] || fail "no drift.json is kept"
expect_text "$drift" "\"slice\": \"shift == 'night'\""
# Half of the budget is spent by the aims, and the night shift is one of them.
patch=$(find .flywheel/cache -name patch.jsonl | head -1)
aimed=$(grep -c "\"slice\":\"shift == 'night'\"\|\"slice\": \"shift == 'night'\"" "$patch")
ok
[ "$aimed" -ge 8 ] || fail "only $aimed samples were collected for the night shift" "$patch"

# Live samples changed: the stage runs again; the rest of its inputs did not.
rows 600 21 0 live | sed 's/"label":"[a-z]*",//' >live/samples.jsonl
expect_exit 0 "$flywheel" run --id two -v
expect_text "$work/err" "drift: none"

# In the project, the command compares with the train split of the newest snapshot.
expect_exit 0 "$flywheel" drift live
says "drift: none" "(600 production samples against"
expect_exit 0 "$flywheel" drift pool/samples.jsonl --fields shift --json
says '"shift == '"'night'"'"'

# A drift plugin that breaks the contract is told apart from one that keeps it.
make_plugin loose drift <<'PLUGIN'
echo '{"drift": true}' >"$FLYWHEEL_OUT_DRIFT"
PLUGIN
sed -i 's/plugin: drift/plugin: loose/' flywheel.yaml
expect_exit 1 "$flywheel" run --id three
expect_text "$work/all" "'version' must be 1"
done_testing
