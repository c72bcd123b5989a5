"""Comparison of several methods: inputs, methods, paired tests, ranking, table."""
