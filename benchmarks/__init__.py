"""Benchmarks. Each one measures a reference in the same run: `python -m benchmarks.<name>`."""
