"""Experiments, plans, and what brings a plan to completion."""
