"""The run folder and the one process at work on it."""
