"""Checks of tasks that derive from another task: what they set, use and return."""
