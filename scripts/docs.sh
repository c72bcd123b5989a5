#!/usr/bin/env bash
# Builds the documentation as a site, which opens from the disk: it needs neither a server nor a network.
#
#   scripts/docs.sh                               builds it in site/
#   scripts/docs.sh build --site-dir=/tmp/site    elsewhere; MkDocs gets what follows `build` or `serve`
#   scripts/docs.sh serve                         shows it at http://127.0.0.1:8000, again after each change of a file
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
export NO_MKDOCS_2_WARNING=1   # a notice about later versions; ours is pinned
command=${1:-build}
case $command in
  build | serve) ;;
  -h | --help) sed -nE '2,/^also/{/^#/s/^# ?//p;}' scripts/docs.sh; exit ;;
  *) fail "'$command' is unknown: scripts/docs.sh builds the site, scripts/docs.sh serve shows it." ;;
esac
need mkdocs material mkdocstrings
if [[ $command == serve ]]; then
  exec "$python" -m mkdocs serve "${@:2}"
fi
"$python" -m mkdocs build --strict "${@:2}"
(( $# > 1 )) || echo "site: $root/site/index.html"
