"""Checks of an experiment: does it do what its author believes? One subject per file, all in `catalogue`."""
