#!/bin/sh
# flywheel init on what people have: a folder per class, a CSV file, JSON lines. What it writes is
# valid and runs until it parks with questions in inbox/.
. "${FW_SOURCE:?}/tests/lib.sh"

turn() { # turn KIND: from init's word to the parked run
    expect_same "words of init" "$(head -1 "$work/out" | sed 's/ in .*//')" "wrote flywheel.yaml for $1"
    expect_exit 0 "$flywheel" validate
    expect_exit 4 "$flywheel" run
    says "waiting: " "\`flywheel resume\` goes on when the answers are there"
    ok
    ls inbox/*.csv >/dev/null 2>&1 || fail "no questions in inbox/"
    ok
    [ -n "$(git for-each-ref refs/heads/flywheel)" ] || fail "no snapshot"
}

# Images: stripes across, stripes down, plain; some in the wrong folder.
mkdir images && cd images || exit 1
awk 'BEGIN {
    state = 12345
    split("across down plain", name, " ")
    for (i = 0; i < 75; i++) {
        k = i % 3
        folder = "pictures/" name[(i % 11 == 5 ? (k + 1) % 3 : k) + 1]
        system("mkdir -p " folder)
        file = folder "/" i ".pgm"
        printf "P5 16 16 127\n" > file
        for (y = 0; y < 16; y++) {
            for (x = 0; x < 16; x++) {
                state = (state * 16807) % 2147483647
                v = 40 + state % 30 + (k == 0 ? (y + i) % 4 < 2 : k == 1 ? (x + i) % 4 < 2 : 0) * 50
                printf "%c", v > file
            }
        }
        close(file)
    }
}'
expect_exit 0 "$flywheel" init pictures
says "and made a git repository" "next: flywheel validate, then flywheel run"
expect_text flywheel.yaml 'name: "images"'
turn images
expect_text "$work/err" "imported"
# A second init leaves what is there.
echo "# mine" >>flywheel.yaml
expect_exit 2 "$flywheel" init pictures
says "there is a flywheel.yaml here already; it is left as it is"
expect_text flywheel.yaml "# mine"

# A table as CSV.
mkdir "$work/table" && cd "$work/table" || exit 1
rows 150 3 50 >rows.jsonl
{
    echo "id,label,x,y,shift"
    sed 's/[{}"]//g; s/\[//; s/\]//' rows.jsonl |
        awk -F'[,:]' '{ print $2 "," $6 "," $8 "," $9 "," $11 }'
} >metadata.csv
expect_exit 0 "$flywheel" init metadata.csv --name bugs
expect_text flywheel.yaml 'name: "bugs"'
turn table

# Text as JSON lines.
mkdir -p "$work/text/data" && cd "$work/text" || exit 1
awk 'BEGIN {
    state = 99
    n = split("win cash prize now free claim", bad, " ")
    split("see you at home for dinner", good, " ")
    for (i = 0; i < 120; i++) {
        text = i
        for (j = 0; j < 6; j++) {
            state = (state * 16807) % 2147483647
            text = text " " (((state % 10 < 8) == (i % 2)) ? bad[1 + state % 6] : good[1 + state % 6])
        }
        printf "{\"id\":\"m%d\",\"text\":\"%s\",\"label\":\"%s\"}\n", i, text,
            ((i % 2) == (i % 13 != 5)) ? "spam" : "ham"
    }
}' >data/samples.jsonl
expect_exit 0 "$flywheel" init
turn text

# What it cannot do, it says.
mkdir "$work/none" && cd "$work/none" || exit 1
expect_exit 2 "$flywheel" init
says "there is no data in 'data/'"
mkdir data
expect_exit 2 "$flywheel" init
says "cannot tell what 'data/' holds" "--template images|text|table"
expect_exit 2 "$flywheel" init --template sound
says "there is no template 'sound'; choose images, text or table"
ok
[ ! -e flywheel.yaml ] && [ ! -e .git ] || fail "a refused init has written"

# A file that is no list of labelled samples is refused before anything is written.
refused() { # refused DATA TEXT...
    data=$1
    shift
    expect_exit 2 "$flywheel" init "$data"
    says "$@"
    expect_exit 2 "$flywheel" init "$data" --template table
    ok
    [ ! -e flywheel.yaml ] && [ ! -e .git ] || fail "init $data has written"
}
mkdir "$work/files" && cd "$work/files" || exit 1
refused /etc/passwd "'/etc/passwd' is neither a .csv, .tsv nor .jsonl file"
echo words >one.csv && refused one.csv "one.csv:1" "not a list of samples with their labels"
printf 'x,kind\n1,a\n' >two.csv && refused two.csv "two.csv:1" "there is no column \`label\`"
echo '{"id":1,"text":"x"}' >three.jsonl && refused three.jsonl "there is no column \`label\`"
echo 'no json' >four.jsonl && refused four.jsonl "four.jsonl:1" "the first row is not a JSON object"
echo '[1]' >five.jsonl && refused five.jsonl "the first row is not a JSON object"
: >six.csv && refused six.csv "not a list of samples"
printf 'x,context\n1,a\n' >samples.csv && refused . "samples.csv:1" "there is no column \`label\`"
printf '\357\273\277{"text":"x","label":"a"}\n' >seven.jsonl
expect_exit 0 "$flywheel" init seven.jsonl
says "wrote flywheel.yaml for text"
rm flywheel.yaml
printf 'label\tcontext\n' >eight.tsv
expect_exit 0 "$flywheel" init eight.tsv
says "wrote flywheel.yaml for table"

# Names and paths that YAML would read as something else.
for name in null 1e3 yes 0x10 -dash '# no' 'a: b'; do
    mkdir -p "$work/odd/$name" && cd "$work/odd/$name" || exit 1
    printf 'label,x\na,1\nb,2\n' >"[it's] a \"list\" # {1}: \\n.csv"
    expect_exit 0 "$flywheel" init "./[it's] a \"list\" # {1}: \\n.csv"
    expect_exit 0 "$flywheel" validate
done
done_testing
