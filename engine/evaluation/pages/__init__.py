"""Reports as pages: one outputs folder, or several methods beside each other."""
