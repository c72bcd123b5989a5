#!/usr/bin/env bash
# Checks style and types, all of them even if one fails. scripts/test.sh and the pre-commit hook run this.
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
need ruff pyright
checked=(.)
if [[ ! -e scripts/examples.txt ]]; then   # the tests of engine/ import the examples, which this project dropped
  shopt -s nullglob
  GLOBIGNORE='.*/:workspace/:tests/:tests/engine/:tests/__pycache__/'
  checked=(*/ tests/*.py tests/*/)
fi
status=0
"$python" -m ruff check "${checked[@]}" || status=1
"$python" -m ruff format --check "${checked[@]}" || status=1
"$python" -m pyright --pythonpath "$python" "${checked[@]}" || status=1
exit $status
