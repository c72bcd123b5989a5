"""Tests of the dataset expressions that configs bind."""
