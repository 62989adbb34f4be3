#!/bin/sh
# Datasets that cannot be right are refused before anything is imported, each with file and line.
. "${FW_SOURCE:?}/tests/lib.sh"
mkdir good && cd good || exit 1
make_repo
make_data
{
    yaml_base
    yaml_loop
} >flywheel.yaml
cd ..

# bad NAME TEXT...: the changed project in ./try is refused with these words, and stays empty
bad() {
    name=$1
    shift
    cd "$work/try" || exit 1
    for command in "run" "snapshot import"; do
        # shellcheck disable=SC2086
        run timeout 60 "$flywheel" $command
        ok
        [ "$code" = 2 ] || fail "$name: exit $code, not 2, from $command" "$work/all"
        says "$@"
        ok
        [ -z "$(git for-each-ref refs/heads/flywheel refs/flywheel)" ] && [ ! -e flywheel.lock ] ||
            fail "$name: something was imported"
    done
    cd "$work" || exit 1
}

fresh() {
    cd "$work" && rm -rf try && cp -r good try
    rows=try/data/samples.jsonl
}

fresh
sed -i '7s/"id":"s0006"/"id":"s0002"/' $rows
bad "duplicate id" "data/samples.jsonl:7: " "s0002" "line 3"
fresh
sed -i '5s/0\.[0-9]*\]/NaN]/; 5s/-[0-9.]*\]/NaN]/; 5s/[0-9.]*\]/NaN]/' $rows
bad "NaN" "data/samples.jsonl:5"
fresh
sed -i '5s/\[[^,]*,/["x",/' $rows
bad "text for a number" "data/samples.jsonl:5"
fresh
printf '{"id":"s9","split":"train","label":"ant","features":[1,2],"note":"\377\376"}\n' >>$rows
bad "bad UTF-8" "data/samples.jsonl:151" "UTF-8"
fresh
sed -i '9s/.*/{"id":"x", "label"/' $rows
bad "a torn line" "data/samples.jsonl:9"
fresh
sed -i '9s/"split":"[a-z]*"/"split":"trian"/' $rows
bad "unknown split" "data/samples.jsonl:9" "trian"
fresh
sed -i '9s/"label":"[a-z]*",//' $rows
bad "no label" "data/samples.jsonl:9" "label"
fresh
sed -i '9s/"label":"[a-z]*"/"label":"wasp"/' $rows
sed -i 's/^  slices/  classes: [ant, bee, cat]\n  slices/' try/flywheel.yaml
bad "unknown class" "data/samples.jsonl:9" "wasp" "ant, bee, cat"
fresh
sed -i 's/^  slices/  classes: [ant, bee, cat, dog]\n  slices/' try/flywheel.yaml
bad "a class without samples in train" "dog"
fresh
sed -i 's/"split":"dev"/"split":"test"/' $rows
bad "no dev sample" "dev"
fresh
sed -i 's/"split":"train"/"split":"test"/' $rows
bad "no train sample" "train"
fresh
: >$rows
bad "an empty file" "data: there are no samples" "nothing was imported"
fresh
rm $rows
bad "an empty folder" "data"
fresh
rm -r try/data
bad "no folder" "data"
for path in ../../etc/passwd /etc/passwd missing.png link/passwd; do
    fresh
    ln -s /etc try/data/link
    printf '{"id":"s9","split":"train","label":"ant","file_name":"%s"}\n' "$path" >>$rows
    bad "file_name $path" "data/samples.jsonl:151"
done
# Many mistakes: the first ones, and how many more.
fresh
sed -i 's/"label":"bee",//' $rows
bad "fifty mistakes" "data/samples.jsonl:2: " "more"

# Unreadable: not for root, who reads all.
if [ "$(id -u)" != 0 ]; then
    fresh
    chmod 0 $rows
    bad "unreadable" "samples.jsonl" "Permission denied"
fi
fresh
cd try && expect_exit 0 "$flywheel" snapshot import
done_testing
