#!/usr/bin/env bash
# Pins requirements*.in in requirements*.txt. Keeps pins that still fit. scripts/pin.sh --upgrade upgrades everything,
# scripts/pin.sh --upgrade-package jax upgrades one package.
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
# requirements.txt comes first, because the others must agree with it; dev must agree with sweeps.
for name in requirements requirements-{eval,sweeps,dev,gpu,tpu,benchmarks,peers,mirrors}; do
  "$python" -m uv pip compile --quiet --universal --python-version 3.11 --annotation-style line \
    --custom-compile-command scripts/pin.sh --output-file "$name.txt" "$name.in" "$@"
done
