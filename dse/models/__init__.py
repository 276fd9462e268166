"""Networks as `flax.nnx` modules, made from architectures."""
