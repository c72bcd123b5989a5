#!/usr/bin/env bash
# Builds the documentation as a site: open site/index.html. It needs neither a server nor a network.
# scripts/docs.sh serve shows it at http://127.0.0.1:8000 and builds it again when a file changes.
# Other arguments go to MkDocs: scripts/docs.sh build --site-dir=/tmp/site
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
need mkdocs material mkdocstrings
export NO_MKDOCS_2_WARNING=1   # a notice about later versions; ours is pinned
if [[ ${1:-build} == serve ]]; then
  exec "$python" -m mkdocs serve "${@:2}"
fi
exec "$python" -m mkdocs build --strict "${@:2}"
