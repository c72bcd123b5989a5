"""Faults that the campaign of `benchmarks.torture` causes in training runs."""
