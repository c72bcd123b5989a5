"""The checks of `scripts/dataset.sh check`, by subject. `check.py` runs all of them."""
