"""From an architecture to a `flax.nnx` module."""
