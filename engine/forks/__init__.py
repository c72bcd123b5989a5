"""Projects made from the template, and their updates."""
