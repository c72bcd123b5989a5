"""Tasks: what to learn, one kind per file."""
