"""One thin program per script of scripts/."""
