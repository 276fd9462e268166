"""Experiments and plans, and the code that carries a plan out."""
