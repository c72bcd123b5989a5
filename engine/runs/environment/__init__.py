"""The environment of a run: its code, packages, flags and machine, recorded and compared."""
