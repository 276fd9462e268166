"""Cells, recipes, events, files and logs of runs, without JAX."""
