"""The contract of a run, without JAX: its cell, recipe, events, files and log."""
