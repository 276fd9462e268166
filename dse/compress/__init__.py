"""Compression of trained weights: pruning, shared weights, coding and its files."""
