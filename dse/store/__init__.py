"""The database: the runs table is the truth, and every other view follows from it."""

DEFAULT_STORAGE = "sqlite:///results/dse.db"

SEARCHES = "search-"
"""How the experiment of a study begins that is a search."""
