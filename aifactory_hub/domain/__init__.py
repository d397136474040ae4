"""Decisions: frozen dataclasses and functions, without I/O, clock or environment."""
