#!/usr/bin/env bash
# All checks and tests, for people, hooks and machines alike. Arguments go to pytest: scripts/test.sh -x tests/test_outputs.py
# With --all first, the slow tests too.
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
if [[ ${1:-} == --all ]]; then
  set -- -m '' "${@:2}"   # replaces the choice in pyproject.toml
fi
scripts/lint.sh
exec "$python" -m pytest "$@"
