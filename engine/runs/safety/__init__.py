"""What a run may execute, and what its folder may hold."""
