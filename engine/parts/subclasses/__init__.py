"""Checks of tasks that derive from another task: does a subclass use every setting that a config binds?"""
