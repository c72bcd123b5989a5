"""Tests of trees of arrays on disk."""
