"""Search spaces and hard budgets."""
