"""The database of runs; every other view of results is derived from it."""

DEFAULT_STORAGE = "sqlite:///results/dse.db"

SEARCHES = "search-"
"""Prefix of the experiment name of a study that is a search."""
