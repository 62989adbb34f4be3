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
says "nothing: No such file"
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
