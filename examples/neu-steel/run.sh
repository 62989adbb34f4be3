#!/bin/sh
# sh examples/neu-steel/run.sh SOURCE WORK
#   SOURCE  your copy of the NEU steel-surface images (folder or archive)
#   WORK    a new folder for the project
set -eu
[ $# = 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
. "$(dirname "$0")/../lib.sh"
example_run neu-steel "$1" "$2"
