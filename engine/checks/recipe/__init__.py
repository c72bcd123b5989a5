"""The checks of an experiment, one subject per file. The first line of a docstring says what must hold."""
