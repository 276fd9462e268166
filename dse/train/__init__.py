"""From a cell, a dataset and replicates to a stream of events."""
