"""Trains a run again from its record, in processes, and compares the two runs."""
