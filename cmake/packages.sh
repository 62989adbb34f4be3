#!/bin/sh
# Installs what cmake/packages.txt lists and the system lacks: sh cmake/packages.sh build [test]
# Does nothing, and needs no network, when everything is there.
set -eu
list=$(dirname "$0")/packages.txt
[ $# -gt 0 ] || { echo "usage: sh cmake/packages.sh build [test]" >&2; exit 2; }

wanted=
for group in "$@"; do
    wanted="$wanted $(awk -v group="$group" '!/^#/ && $2 == group { print $1 }' "$list")"
done

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This system has no dpkg; please see to it that these Debian packages' contents are there:" >&2
    echo $wanted >&2
    exit 0
fi

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
    *" installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

echo "Installing:$missing" >&2
sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "These packages are missing, and installing them needs root: apt-get install$missing" >&2
        exit 1
    }
    sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
# A package list that is days old is often good enough, so try it before fetching a new one.
$sudo apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 || {
    $sudo apt-get update -q >/dev/null || {
        echo "apt-get update failed: is the network there? Missing:$missing" >&2
        exit 1
    }
    $sudo apt-get install -y -q --no-install-recommends $missing >&2 || {
        echo "Could not install:$missing" >&2
        exit 1
    }
}
