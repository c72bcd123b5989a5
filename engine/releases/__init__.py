"""Released models: `models/<name>/<version>/` in the workspace, written whole and never replaced."""
