"""The saved outputs behind the numbers of README.md."""
