"""Triggers: repositories are watched, and what changes in them starts pipelines."""
