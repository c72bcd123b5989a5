"""Outputs of kind `regression`."""
