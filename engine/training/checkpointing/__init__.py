"""Checkpoints of a run, and the step from which it resumes."""
