#!/bin/sh
# Data are looked at without a pipeline: what is wrong is told, and a CI job can require what must hold.
. "${FW_SOURCE:?}/tests/lib.sh"
mkdir data && cat >data/samples.jsonl <<'ROWS'
{"id":"a1","label":"ant","region":"north"}
{"id":"a2","label":"ant","region":"north"}
{"id":"a3","label":"ant","region":"south"}
{"id":"a4","label":"ant","region":"south"}
{"id":"b1","label":"bee","region":"north"}
{"id":"b2","label":"bee","region":"north"}
{"id":"b3","label":"bee","region":"south"}
{"id":"b4","label":"bee","region":"south"}
ROWS
cat >p.csv <<'ROWS'
id,ant,bee
a1,0.9,0.1
a2,0.8,0.2
a3,0.7,0.3
a4,0.1,0.9
b1,0.1,0.9
b2,0.2,0.8
b3,0.7,0.3
b4,0.8,0.2
ROWS
expect_exit 0 "$flywheel" analyse data p.csv --only labels
says "8 samples, 8 labelled, 8 predicted, 2 classes" \
    "labels: 3 are probably wrong; 37.5 % of all are estimated to be" "classes, the noisiest labels first"
expect_exit 0 "$flywheel" analyse data p.csv --only labels --json --out issues.csv
says '"label_issues": 0.375' '"noise_rate": 0.375' '"suggested": "bee"'
golden issues.csv <<'CSV'
id,label,suggested,score
a4,ant,bee,0.1
b4,bee,ant,0.2
b3,bee,ant,0.3
CSV
# Requirements.
expect_exit 0 "$flywheel" analyse data p.csv --only labels --require 'label_issues <= 40%' \
    --require "accuracy where region == 'north' >= 1" --require 'recall:ant >= 0.75'
expect_exit 1 "$flywheel" analyse data p.csv --only labels --require 'label_issues <= 30%' \
    --require "accuracy where region == 'south' > 0.9" --json
says "not met: label_issues <= 30% (it is 0.375)" \
    "not met: accuracy where region == 'south' > 0.9 (it is 0.25)" '"holds": false'
expect_exit 1 "$flywheel" analyse data p.csv --only labels --require "accuracy where region == 'west' >= 0"
says "it could not be measured"
expect_exit 2 "$flywheel" analyse data p.csv --only labels --require 'label_isues <= 1'
says "there is no figure 'label_isues'" "did you mean 'label_issues'?"
expect_exit 2 "$flywheel" analyse data p.csv --only labels --require 'accuracy'
says "there is no >=, <=, > or <"
expect_exit 2 "$flywheel" analyse data p.csv --only lables
says "--only: there is no part 'lables'" "did you mean 'labels'?"
# What is wrong with the input.
expect_exit 2 "$flywheel" analyse
expect_exit 2 "$flywheel" analyse nothing p.csv
says "nothing: there is no such file or folder"
echo '{"id":"x","label":1}' >>data/samples.jsonl
expect_exit 2 "$flywheel" analyse data p.csv
says "some labels are numbers and some are texts"
sed -i '$d' data/samples.jsonl
sed 's/0.8,0.2/0.8,0.3/' p.csv >bad.csv
expect_exit 2 "$flywheel" analyse data bad.csv
says "the probabilities sum to 1.1, not 1"
sed 's/^[ab]/q/' p.csv | awk -F, 'NR == 1 || !seen[$1]++' >other.csv
expect_exit 2 "$flywheel" analyse data other.csv
says "no sample of the data is predicted"
# Without predictions.
expect_exit 0 "$flywheel" analyse data
says "no label is suspected"
# Boxes.
cat >g.jsonl <<'ROWS'
{"id":"one.jpg","boxes":[{"box":[0,0,40,40],"class":"car"},{"box":[100,100,40,40],"class":"bus"}]}
{"id":"two.jpg","boxes":[{"box":[0,0,40,40],"class":"car"}]}
ROWS
cat >b.jsonl <<'ROWS'
{"id":"one.jpg","boxes":[{"box":[0,0,40,40],"class":"car","score":0.9},{"box":[100,100,40,40],"class":"bus","score":0.8}]}
{"id":"two.jpg","boxes":[{"box":[0,0,40,40],"class":"bus","score":0.99}]}
ROWS
expect_exit 0 "$flywheel" analyse g.jsonl b.jsonl --task boxes --require 'ap50 >= 0.4'
says "2 images, 3 given and 3 predicted boxes, 2 classes" "average precision 0.502 (at IoU .50 0.502" \
    "suspect boxes: 1, on 1 images" "two.jpg  swapped  car    0, 0, 40, 40"
expect_exit 1 "$flywheel" analyse g.jsonl b.jsonl --task boxes --json --require 'box_issues <= 10%'
says '"error": "swapped"' '"box_issues": 0.33' "not met: box_issues <= 10%"
expect_exit 0 "$flywheel" analyse g.jsonl --task boxes
says "3 given and 0 predicted boxes"
expect_exit 2 "$flywheel" analyse g.jsonl b.jsonl --task box
says "tasks are classification, regression, multilabel and boxes"
expect_exit 0 "$flywheel" analyse g.jsonl b.jsonl --task boxes --out boxes.csv
expect_text boxes.csv "image,class,error,x,y,width,height,score"
expect_text boxes.csv "two.jpg,car,swapped,0,0,40,40,"
expect_same "lines" "$(wc -l <boxes.csv)" 2
expect_exit 2 "$flywheel" analyse g.jsonl b.jsonl --task boxes --metric accuracy
says "are for classes and numbers, not for boxes"
expect_exit 2 "$flywheel" analyse g.jsonl gone.jsonl --task boxes
says "gone.jsonl: there is no such file or folder"
# Sets of labels.
cat >g.jsonl <<'ROWS'
{"id":"x","label":["red","round"]}
{"id":"y","label":["red"]}
{"id":"z","label":["round"]}
{"id":"w","label":[]}
ROWS
cat >s.jsonl <<'ROWS'
{"id":"x","probs":{"red":0.9,"round":0.8}}
{"id":"y","probs":{"red":0.8,"round":0.9}}
{"id":"z","probs":{"red":0.1,"round":0.9}}
{"id":"w","probs":{"red":0.2,"round":0.1}}
ROWS
expect_exit 0 "$flywheel" analyse g.jsonl s.jsonl --task multilabel --filter predicted_neq_given
says "4 samples, 2 classes" "subset_accuracy" "0.750" "labels: 1 are probably wrong, of 1 samples" \
    "y       round  not given, should be  0.100"
expect_exit 1 "$flywheel" analyse g.jsonl s.jsonl --task multilabel --require 'hamming_loss <= 0.1' --json
says '"metric": "macro_f1"' "not met: hamming_loss <= 0.1 (it is 0.125)"
expect_exit 2 "$flywheel" analyse g.jsonl s.jsonl --task multilabel --require 'accuracy >= 0.1'
says "there is no figure 'accuracy'"
# Numbers.
awk 'BEGIN { print "id,label"; for (i = 0; i < 40; i++) print "n" i "," i }' >n.csv
awk 'BEGIN { print "id,prediction"; for (i = 0; i < 40; i++) print "n" i "," (i == 7 ? 90 : i + (i % 3) / 10) }' >np.csv
expect_exit 0 "$flywheel" analyse n.csv np.csv --task regression
says "rmse" "labels: 1 are probably wrong" "n7"
# Arrays.
if ! /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    echo "skipped: arrays, because python3-numpy is not installed"
    done_testing
fi
/usr/bin/python3 - <<'PY'
import numpy as np
p = np.array([[.9, .1], [.8, .2], [.7, .3], [.1, .9], [.1, .9], [.2, .8], [.7, .3], [.8, .2]], np.float32)
np.save("p.npy", p)
np.save("y.npy", np.array([0, 0, 0, 0, 1, 1, 1, 1]))
p[2, 1] = np.nan
np.save("nan.npy", p)
PY
expect_exit 0 "$flywheel" analyse y.npy p.npy --classes ant,bee --only labels
says "labels: 3 are probably wrong" "ant / bee"
expect_exit 2 "$flywheel" analyse y.npy nan.npy
says "nan.npy" "row 2, column 1: nan is no probability"
expect_exit 2 "$flywheel" analyse y.npy p.npy --classes ant
says "1 class names for 2 columns"
done_testing
