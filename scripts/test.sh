#!/usr/bin/env bash
# All checks and tests, for people, hooks and machines alike. Arguments go to pytest: scripts/test.sh -x tests/test_outputs.py
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
scripts/lint.sh
exec "$python" -m pytest "$@"
