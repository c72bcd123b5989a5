#!/usr/bin/env bash
# Checks style and types, runs the tests, and reports both on the last line. People, hooks and CI use this command.
# Arguments go to pytest: scripts/test.sh -x tests/test_configs.py
# With --all first, the slow tests run too.
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
need pytest xdist
if [[ ${1:-} == --all ]]; then
  set -- -m '' "${@:2}"   # replaces the choice in pyproject.toml
fi

trap 'trap - INT; kill -INT $$' INT   # Ctrl-C ends this script too, not only the program that is running
lint=passed tests=passed
scripts/lint.sh || lint=failed
"$python" -m pytest "$@" || tests=failed
echo "lint: $lint, tests: $tests"
[[ $lint == passed && $tests == passed ]]
