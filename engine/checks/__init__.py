"""Checks of an experiment before its training. `recipe` holds the checks, `catalogue` lists and runs them."""
