"""Which datasets there are, and what they are called."""
