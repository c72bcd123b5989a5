"""Matplotlib figures: their style, fonts for names in any script, and the files and markup they become."""
