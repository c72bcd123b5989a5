"""What `scripts/dataset.sh check` looks at, by subject; `research/datasets/check.py` runs it all."""
