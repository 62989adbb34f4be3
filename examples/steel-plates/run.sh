#!/bin/sh
# sh examples/steel-plates/run.sh SOURCE WORK
#   SOURCE  your copy of the steel-plates faults table (CSV file or its folder)
#   WORK    a new folder for the project
set -eu
[ $# = 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
. "$(dirname "$0")/../lib.sh"
example_run steel-plates "$1" "$2"
