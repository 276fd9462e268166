"""From metaparameters to an architecture and its cost, without JAX."""
