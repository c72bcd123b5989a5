#!/usr/bin/env bash
# Writes the pins, requirements*.txt, from requirements*.in. Keeps the pins that still fit: scripts/pin.sh --upgrade
# takes the newest of everything, scripts/pin.sh --upgrade-package jax the newest of one.
also=dev
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
# In this order: the others are pinned to what requirements.txt says.
for name in requirements requirements-{eval,dev,gpu,tpu,benchmarks}; do
  "$python" -m uv pip compile --quiet --universal --python-version 3.11 --annotation-style line \
    --custom-compile-command scripts/pin.sh --output-file "$name.txt" "$name.in" "$@"
done
