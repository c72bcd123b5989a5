#!/usr/bin/env bash
# Checks style and types. scripts/test.sh and the pre-commit hook run it.
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
"$python" -m ruff check
"$python" -m ruff format --check
"$python" -m pyright --pythonpath "$python"
