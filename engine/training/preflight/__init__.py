"""Checks before training, so that a mistake shows before the first step, not after the last one."""
