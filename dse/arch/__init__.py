"""Architectures made from metaparameters, and their costs, without JAX."""
