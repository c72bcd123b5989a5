"""What an evaluation returns: metrics, intervals, reports and their files."""
