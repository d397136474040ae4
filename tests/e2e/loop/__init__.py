"""Budgets that act and idle servers that are stopped, on the real cluster: ``make e2e-loop``."""
