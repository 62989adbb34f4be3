#!/bin/sh
# Plugins that are broken or hostile: each is found out with an error that names the stage and where
# to look, nothing is left running, and the last good snapshot and champion stay.
. "${FW_SOURCE:?}/tests/lib.sh"
make_project p
mkdir plugins

yaml_with() { # yaml_with PLUGIN: as the relabel stage
    yaml_base
    echo "  fix: {kind: relabel, plugin: $1, timeout: 2s}"
    yaml_loop
}
yaml_with oracle | sed 's/plugin: oracle/plugin: oracle, with: {truth: truth.csv, error_rate: 0, samples: 25}/' >flywheel.yaml
expect_exit 0 "$flywheel" run --id good --set loop.max_iterations=1
best=$(tip)
ok
[ "$(git rev-list --count "$best")" = 2 ] || fail "no champion to lose"

stays() { # what was there is there
    expect_same "$1: the branch" "$(tip)" "$best"
    ok
    git fsck --strict --no-dangling >"$work/fsck" 2>&1 || fail "$1: git fsck" "$work/fsck"
}

# --- what validate sees: before anything runs
invalid() { # invalid NAME TEXT...
    yaml_with "$1" >flywheel.yaml
    shift
    expect_exit 2 timeout 60 "$flywheel" run
    says "flywheel.yaml:19:32: error: " "$@"
    stays "$1"
}
invalid missing "there is no plugin 'missing'"
invalid ./plugins/gone "plugin './plugins/gone' does not exist"
echo 'no program' >plugins/plain
invalid plain "not executable"
describing() { # describing NAME: a plugin whose describe is stdin
    { echo '#!/bin/sh' && cat; } >plugins/"$1"
    chmod +x plugins/"$1"
}
echo "echo '{\"protocol\":2,\"name\":\"future\",\"version\":\"1\",\"kind\":\"relabel\"}'" | describing future
invalid future "protocol 2"
echo 'head -c 3000 /dev/urandom' | describing rubbish
invalid rubbish "plugin 'rubbish'"
echo 'yes x' | describing endless
invalid endless "plugin 'endless'"
echo 'echo "it is broken" >&2; exit 3' | describing failing
invalid failing "plugin 'failing'"
echo 'kill -SEGV $$' | describing crashing
invalid crashing "plugin 'crashing'"
echo "echo '{\"protocol\":1,\"name\":\"trainer\",\"version\":\"1\",\"kind\":\"train\"}'" | describing trainer
invalid trainer "train"
echo 'sleep 541' | describing sleeping
invalid sleeping "plugin 'sleeping'"
rm -f plugins/*

# --- what shows when it runs
broken() { # broken NAME TEXT...: the plugin's run is stdin
    name=$1
    shift
    make_plugin "$name" relabel
    yaml_with "$name" >flywheel.yaml
    expect_exit 1 timeout 60 "$flywheel" run --new --id "run-$name"
    says "stage fix (iteration 1)" "$@"
    stays "$name"
    expect_exit 0 "$flywheel" status
    says "run        run-$name" "status     failed"
}
broken dying "killed by signal 11" <<'PLUGIN'
kill -SEGV $$
PLUGIN
broken exiting "exited with 7" "my disk is too small" "1/fix/log" <<'PLUGIN'
echo my disk is too small
exit 7
PLUGIN
broken silent "patch" <<'PLUGIN'
exit 0
PLUGIN
broken torn "patch" ":2: " <<'PLUGIN'
printf '{"op":"confirm","id":"s0000","label":"ant"}\n{"op":"relab' >"$FLYWHEEL_OUT_PATCH"
PLUGIN
broken opless ":1: " "explode" <<'PLUGIN'
echo '{"op":"explode","id":"s0000"}' >"$FLYWHEEL_OUT_PATCH"
PLUGIN
broken escaping ":1: " "file_name '../../../etc/passwd' leaves the patch" <<'PLUGIN'
echo '{"op":"add","sample":{"id":"new1","label":"ant","file_name":"../../../etc/passwd"}}' >"$FLYWHEEL_OUT_PATCH"
PLUGIN
broken absolute ":1: " "file_name '/etc/passwd'" <<'PLUGIN'
echo '{"op":"add","sample":{"id":"new1","label":"ant","file_name":"/etc/passwd"}}' >"$FLYWHEEL_OUT_PATCH"
PLUGIN
broken linking "files/x.txt is neither a regular file nor a folder" <<'PLUGIN'
mkdir -p "$FLYWHEEL_OUT_PATCH/files"
ln -s /etc/passwd "$FLYWHEEL_OUT_PATCH/files/x.txt"
echo '{"op":"add","sample":{"id":"new1","label":"ant","file_name":"x.txt"}}' >"$FLYWHEEL_OUT_PATCH/patch.jsonl"
PLUGIN
broken hanging "ran longer than its timeout of 2 s" <<'PLUGIN'
trap '' TERM
sleep 542 & sleep 542
PLUGIN
ok
! pgrep -f '^sleep 54[12]$' >"$work/left" || fail "sleepers are left" "$work/left"

# --- fixes that may not be: set aside with the reason, the others go on
make_plugin sly relabel <<'PLUGIN'
dev=$(sed -n 's/.*"id": *"\([^"]*\)".*"split": *"dev".*/\1/p' "$FLYWHEEL_PROJECT/data/samples.jsonl" | head -1)
row=$(sed -n "s/.*\"id\": *\"$dev\".*\"features\": *\(\[[^]]*\]\).*/\1/p" "$FLYWHEEL_PROJECT/data/samples.jsonl")
cat >"$FLYWHEEL_OUT_PATCH" <<END
{"op":"relabel","id":"$dev","from":"ant","to":"bee"}
{"op":"remove","id":"$dev"}
{"op":"relabel","id":"nobody","from":"ant","to":"bee"}
{"op":"relabel","id":"s0000","from":"cat","to":"bee"}
{"op":"relabel","id":"s0001","from":"bee","to":"wasp"}
{"op":"add","sample":{"id":"copy","label":"ant","features":$row}}
{"op":"add","sample":{"id":"new3","label":"ant","features":[1,2,3]}}
{"op":"add","sample":{"id":"s0000","label":"ant","features":[1,2.5]}}
{"op":"add","sample":{"id":"good","label":"ant","features":[2.25,0.125]}}
END
PLUGIN
yaml_with sly >flywheel.yaml
run timeout 60 "$flywheel" run --new --id sly --set loop.max_iterations=1
ok
if [ $code = 0 ]; then
    expect_exit 0 "$flywheel" show --json
    says '"add": 1' '"aside_total": 8'
    git grep -h '"id"' refs/flywheel/candidates/sly/1 -- samples >"$work/rows"
    expect_text "$work/rows" '"good"'
    for id in copy new3; do
        expect_no_text "$work/rows" "\"$id\""
    done
    for split in dev test; do
        expect_same "$split of the candidate" \
            "$(git rev-parse "refs/flywheel/candidates/sly/1:samples/$split")" \
            "$(git rev-parse "$best:samples/$split")"
    done
else
    fail "a patch with eight bad fixes and a good one: exit $code" "$work/all"
fi
stays sly

# --- it may be noisy, and leave others behind
make_plugin noisy relabel <<'PLUGIN'
head -c 30000000 /dev/zero | tr '\0' 'x'
setsid sleep 544 >/dev/null 2>&1 &
(sleep 544 &)
printf '\033[2J\033]0;owned\007\n'
echo '{"event":"progress","done":"many"}' >&3
head -c 100000 /dev/urandom >&3
: >"$FLYWHEEL_OUT_PATCH"
PLUGIN
yaml_with noisy >flywheel.yaml
expect_exit 0 timeout 60 "$flywheel" run --new --id noisy
esc=$(printf '\033')
expect_no_text "$work/all" "$esc"
log=.flywheel/runs/noisy/1/fix/log
ok
[ "$(wc -c <"$log")" -lt 31000000 ] || fail "the log has no limit: $(wc -c <"$log") bytes"
ok
! pgrep -f '^sleep 544$' >"$work/left" || fail "what the plugin forked away is left" "$work/left"

# --- predictions that lie
cat >"$work/predict" <<'PLUGIN'
#!/bin/sh
if [ "$1" = describe ]; then
    echo '{"protocol":1,"name":"liar","version":"1","kind":["train","evaluate"],"params":{"lie":{"type":"string","default":""}}}'
    exit 0
fi
if [ "$FLYWHEEL_KIND" = train ]; then
    echo model >"$FLYWHEEL_OUT_MODEL"
    exit 0
fi
sed 's/.*"id": *"\([^"]*\)".*/{"id":"\1","prediction":"ant","probs":[1,0,0]}/' "$FLYWHEEL_IN_DATASET/samples.jsonl" >rows
case $FLYWHEEL_PARAM_LIE in
unknown) sed -i '3s/"id":"[^"]*"/"id":"ghost"/' rows ;;
missing) sed -i 3d rows ;;
twice) sed -i 3p rows ;;
nan) sed -i '3s/\[1,/[NaN,/' rows ;;
sum) sed -i '3s/\[1,0/[1,0.5/' rows ;;
class) sed -i '3s/"ant"/"wasp"/' rows ;;
empty) : >rows ;;
esac
cp rows "$FLYWHEEL_OUT_PREDICTIONS"
PLUGIN
mkdir -p "$work/q/plugins" && cd "$work/q" || exit 1
make_repo
make_data
cp "$work/predict" plugins/liar
chmod +x plugins/liar
for lie in unknown:ghost missing:missing twice:twice nan: sum:sum class:wasp empty:; do
    {
        yaml_base | sed 's/plugin: linear/plugin: liar/; s/with: {C.*/with: {}/'
        yaml_loop
    } | sed "s/kind: evaluate, plugin: liar,/kind: evaluate, plugin: liar, with: {lie: ${lie%:*}},/; s/  patience/  sanity: false\n  patience/" >flywheel.yaml
    expect_exit 1 "$flywheel" run --new-model --id "lie-${lie%:*}"
    says "stage evaluate[seed=1] (iteration 0)" "predictions" "${lie#*:}"
done
done_testing
