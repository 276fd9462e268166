"""Training: turn a cell, a dataset and replicates into a stream of events."""
