"""What `scripts/dataset.sh check` looks at, by subject; `engine/datasets/checks/check.py` runs it all."""
