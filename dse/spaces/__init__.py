"""Spaces of points, and hard budgets."""
