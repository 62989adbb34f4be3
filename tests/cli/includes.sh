#!/bin/sh
# Arrows point down only: cmd → pipeline → stages → pipeline/base; plugins → stages. libgit2 is included in
# pipeline/snap alone, libcurl in pipeline/http alone.
set -eu
cd "$FW_SOURCE"
bad=0
refuse() { # refuse MESSAGE PATTERN FILES...
    message=$1 pattern=$2
    shift 2
    found=$(grep -rnE --include='*.[ch]' --include='*.cc' "$pattern" "$@" || true)
    [ -z "$found" ] || { printf '%s\n%s\n' "$message" "$found"; bad=1; }
}
refuse "the engine includes the command or a plugin" '#include "(cmd|plugins)/' pipeline stages
refuse "base includes something above it" '#include "(stages|pipeline/([a-z]+))/' \
    $(find pipeline/base -name '*.[ch]' -exec grep -lE '#include "(stages|pipeline/(config|graph|sched|exec|snap|journal|cache|http|loop|plugin))/' {} + || true) /dev/null
refuse "stages include the engine" \
    '#include "pipeline/(config|graph|sched|exec|pack|snap|journal|cache|http|loop|plugin)/' stages
refuse "a plugin includes the engine" \
    '#include "pipeline/(config|graph|sched|exec|pack|snap|journal|cache|http|loop|plugin)/' plugins
others=$(find cmd pipeline stages plugins -name '*.[ch]' ! -path 'pipeline/snap/*')
refuse "libgit2 outside pipeline/snap" '#include <git2' $others
others=$(find cmd pipeline stages plugins -name '*.[ch]' ! -path 'pipeline/http/*')
refuse "libcurl outside pipeline/http" '#include <curl/' $others
refuse "a banned function" '\b(strcpy|strcat|sprintf|vsprintf|strtok|gets)\(' cmd pipeline stages plugins
exit $bad
