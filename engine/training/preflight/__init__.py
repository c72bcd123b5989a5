"""Checks before training: what can be known before the first step does not fail after the last."""
