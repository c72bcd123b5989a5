#!/usr/bin/env bash
# Checks style and types, all of them even if one fails. scripts/test.sh and the pre-commit hook run this.
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
need ruff pyright
status=0
"$python" -m ruff check || status=1
"$python" -m ruff format --check || status=1
"$python" -m pyright --pythonpath "$python" || status=1
exit $status
