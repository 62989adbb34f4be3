#!/bin/sh
# sh examples/sms-spam/run.sh SOURCE WORK
#   SOURCE  your copy of the SMS spam collection (file or its folder)
#   WORK    a new folder for the project
set -eu
[ $# = 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
. "$(dirname "$0")/../lib.sh"
example_run sms-spam "$1" "$2"
