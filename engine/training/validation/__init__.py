"""The sets that a training is evaluated on, and what stops it early."""
